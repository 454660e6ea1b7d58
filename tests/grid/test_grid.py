"""The grid: what is crossed, what overrides what, and mistakes found before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.grid import Cell, load_grid, read_grid

ROOT = Path(__file__).parents[2]
ARMS = {
    "fedavg": {"algorithm": "fedavg"},
    "prox": {"algorithm": "fedprox", "mu": 0.3, "training": {"learning_rate": 0.9}},
}


def grid(**changes):
    content = {
        "arms_file": None,
        "arm_settings": ARMS,
        "datasets": ["phantom", "pneumoniamnist"],
        "partitions": ["iid", "site"],
        "arms": ["fedavg", "prox"],
        "seeds": [0, 3],
        **changes,
    }
    return load_grid(content, "grid.yaml")


def test_cells_are_the_product_in_order():
    cells = grid().cells()
    assert len(cells) == len(set(cells)) == 16
    assert cells[:3] == [
        Cell("phantom", "iid", "fedavg", 0),
        Cell("phantom", "iid", "fedavg", 3),
        Cell("phantom", "iid", "prox", 0),
    ]
    assert cells[-1] == Cell("pneumoniamnist", "site", "prox", 3)
    assert cells[0].folder("out") == Path("out/runs/phantom/iid/fedavg/seed0")


def test_a_benchmark_hands_allow_partial_on():
    from medfl.commands.call import parser
    from medfl.pipeline.launch import build_grid

    words = ["benchmark", "--dataset", "covidct", "--algorithms", "fedavg"]
    assert build_grid(parser().parse_args(words))["allow_partial"] is False
    content = build_grid(parser().parse_args([*words, "--allow-partial"]))
    assert load_grid(content, "the benchmark").allow_partial


def test_a_benchmark_has_the_arms_and_partitions_of_the_default_grid():
    from medfl.commands.call import parser
    from medfl.pipeline.launch import ROOT, build_grid

    usual = yaml.safe_load((ROOT / "params/default.yaml").read_text(encoding="utf-8"))
    content = build_grid(parser().parse_args(["benchmark"]))
    assert [content[key] for key in ("arms", "partitions")] == [usual["arms"], usual["partitions"]]
    assert set(content["arm_settings"]) == set(usual["arms"])
    chosen = ["benchmark", "--algorithms", "fedavg", "--alpha", "0.3"]
    content = build_grid(parser().parse_args(chosen))
    assert (content["arms"], content["partitions"]) == (["fedavg"], ["dirichlet-0.3"])


def test_allow_partial_is_off_unless_asked_for():
    assert not grid().allow_partial
    assert grid(allow_partial=True).allow_partial
    with pytest.raises(MedflError, match="allow_partial"):
        grid(allow_partial="perhaps")


def test_arm_over_dataset_over_grid_over_default():
    chosen = grid(
        run={
            "training": {"learning_rate": 0.1, "batch_size": 8, "momentum": 0.5},
            "federated_learning": {"rounds": 9},
        },
        dataset_settings={
            "phantom": {"training": {"batch_size": 16, "learning_rate": 0.2}, "num_clients": 4}
        },
        num_clients=6,
    )
    phantom = chosen.run_config(Cell("phantom", "iid", "prox", 0))
    assert phantom.training.learning_rate == 0.9  # arm
    assert phantom.training.batch_size == 16  # dataset
    assert phantom.training.momentum == 0.5  # grid
    assert phantom.training.weight_decay == 0.0  # default
    assert phantom.federated_learning.rounds == 9
    assert phantom.federated_learning.num_clients == 4
    assert phantom.federated_learning.algorithm == "fedprox"
    assert phantom.federated_learning.algorithm_params == {"mu": 0.3}
    assert (phantom.arm, phantom.seed) == ("prox", 0)
    other = chosen.run_config(Cell("pneumoniamnist", "iid", "fedavg", 3))
    assert other.training.learning_rate == 0.1
    assert other.federated_learning.num_clients == 6
    sites = chosen.run_config(Cell("phantom", "site", "fedavg", 0))
    assert sites.federated_learning.num_clients is None


def test_one_arm_does_not_change_another():
    before = fingerprint(grid().run_config(Cell("phantom", "iid", "fedavg", 0)))
    changed = {**ARMS, "prox": {"algorithm": "fedprox", "mu": 0.4}}
    after = grid(arm_settings=changed)
    assert fingerprint(after.run_config(Cell("phantom", "iid", "fedavg", 0))) == before
    cell = Cell("phantom", "iid", "prox", 0)
    assert fingerprint(after.run_config(cell)) != fingerprint(grid().run_config(cell))


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"sedes": [0]}, ["grid.yaml: unknown key `sedes`; did you mean `seeds`?"]),
        ({"arms": ["fedvag"]}, ["unknown arm `fedvag`; did you mean `fedavg`?"]),
        (
            {"arms": ["my_algorithms:HalfStep"]},
            [
                "grid.yaml: my_algorithms:HalfStep is a class, and no arm: give it a name in "
                'arm_settings, such as `mine: {algorithm: "my_algorithms:HalfStep"}`',
            ],
        ),
        ({"datasets": ["phantm"]}, ["did you mean `phantom`"]),
        ({"partitions": ["dirichlet--1"]}, ["alpha"]),
        ({"partitions": ["dirichlet-much"]}, ["`much` is not a number"]),
        ({"partitions": ["drichlet-0.5"]}, ["did you mean `dirichlet-0.5`"]),
        ({"seeds": [0, 0]}, ["0 stands there twice"]),
        ({"seeds": [-1]}, ["0 or more"]),
        ({"seeds": ["one"]}, ["seeds"]),
        ({"seeds": []}, ["seeds"]),
        ({"run": {"training": {"learnign_rate": 1}}}, ["training.learnign_rate", "learning_rate"]),
        ({"run": {"trainnig": {}}}, ["run.trainnig", "did you mean `training`"]),
        ({"test_fraction": 1.5}, ["test_fraction", "less than 1"]),
        ({"min_samples": 0}, ["min_samples"]),
        ({"val_fraction": 0.6, "test_fraction": 0.6}, ["nothing to train on"]),
        ({"dataset_settings": {"phantmo": {}}}, ["phantmo", "did you mean `phantom`"]),
        ({"run": {"federated_learning": {"clients_per_round": 11}}}, ["clients_per_round is 11"]),
        ({"arm_settings": {**ARMS, "prox": {"algorithm": "fedprx"}}}, ["did you mean `fedprox`"]),
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedprox", "nu": 1}}},
            ["arm `prox`: unknown key `nu`; known: mu."],
        ),
        ({"arm_settings": {**ARMS, "prox": {"mu": 1}}}, ["`prox` does not say its `algorithm`"]),
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedavg", "training": 5}}},
            ["arm `prox`: `training` must hold settings"],
        ),
        ({"arm_settings": {**ARMS, "prox": {"algorithm": 5}}}, ["unknown algorithm `5`"]),
        ({"arm_settings": {**ARMS, "prox": {"algorithm": ":"}}}, ["`:` is no algorithm"]),
        ({"arm_settings": {**ARMS, "prox": {"algorithm": "..:x"}}}, ["`..:x` is no algorithm"]),
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedavg", "rounds": 3}}},
            ["grid.yaml: arm `prox`: unknown key `rounds`; none is known"],
        ),
        (
            {"arms": ["a/b"], "arm_settings": {"a/b": {"algorithm": "fedavg"}}},
            ["grid.yaml: the arm `a/b` must be named by letters"],
        ),
        (
            {"arm_settings": {**ARMS, "prox": {**ARMS["prox"], "model": {"nme": "cnn"}}}},
            ["grid.yaml: the run phantom/iid/prox/seed0: unknown key `model.nme`", "`name`"],
        ),
        (
            {
                "arm_settings": {
                    **ARMS,
                    "prox": {**ARMS["prox"], "federated_learning": {"num_clients": 3}},
                }
            },
            ["arm `prox`: federated_learning.num_clients is decided by num_clients of the grid"],
        ),
        (
            {"run": {"federated_learning": {"algorithm": "fedavg"}}},
            ["run.federated_learning", "algorithm is decided by the arm"],
        ),
        (
            {"dataset_settings": {"phantom": {"federated_learning": {"num_clients": 3}}}},
            ["num_clients is decided by num_clients of the grid"],
        ),
        ({"run": {"federated_learning": {"clients_per_round": "x"}}}, ["clients_per_round", "'x'"]),
        ({"run": {"federated_learning": {"rounds": 0}}}, ["federated_learning.rounds", "got 0"]),
        ({"run": {"model": {"name": "rsnet18"}}}, ["unknown model", "did you mean `resnet18`?"]),
        ({"run": {"training": {"device": "gpu"}}}, ["choose auto, cpu, cuda"]),
        ({"run": []}, ["`run`"]),
        ({"partitions": "iid"}, ["`partitions`", "list"]),
        ({"partitions": ["iid", "iid"]}, ["iid stands there twice"]),
        ({"partitions": ["dirichlet-0"]}, ["grid.yaml: partition `dirichlet-0`: alpha must be"]),
        ({"datasets": ["phantom-9999"]}, ["grid.yaml: phantom-9999: the size must be"]),
        ({"seeds": [True]}, ["`seeds`: at 0, True: a number is meant, not true or false"]),
        ({"num_clients": 0}, ["`num_clients`"]),
        ({"num_clients": 2.5}, ["`num_clients`"]),
        ({"output_dir": ""}, ["`output_dir`"]),
        ({"work_root": ""}, ["`work_root`"]),
        ({"arm_settings": {}}, ["unknown arm `fedavg`; none is known here."]),
        # What is empty or zero is no section either.
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedavg", "training": 0}}},
            ["grid.yaml: arm `prox`: `training` must hold settings"],
        ),
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedavg", "search": []}}},
            ["grid.yaml: arm `prox`: search: a range or a list of values is meant"],
        ),
        # Numbers that no network in single precision holds.
        (
            {"run": {"training": {"learning_rate": 1e39}}},
            ["grid.yaml: the run phantom/iid/fedavg/seed0: `training.learning_rate` is 1e+39"],
        ),
        (
            {"arm_settings": {**ARMS, "prox": {"algorithm": "fedprox", "mu": 1.7e308}}},
            ["grid.yaml: the run phantom/iid/prox/seed0", "mu` is 1.7e+308", "take a smaller one"],
        ),
        (
            {
                "arm_settings": {**ARMS, "prox": {**ARMS["prox"], "search": {"mu": [0.1, 1e39]}}},
                "tune": {"points": 3},
            },
            ["grid.yaml: arm `prox`: the point", "of its search is no run", "mu` is 1e+39"],
        ),
        (
            {"tune": {"points": 3, "learning_rate": {"low": 5e-324, "high": 1, "relative": True}}},
            ["grid.yaml: arm `fedavg`: search.training.learning_rate: low is 4.9"],
        ),
    ],
)
def test_a_mistake_is_one_message(changes, messages):
    with pytest.raises(MedflError) as error:
        grid(**changes)
    assert "\n" not in str(error.value)
    for message in messages:
        assert message in str(error.value)


def test_of_a_list_of_thousands_of_mistakes_the_first_are_told():
    with pytest.raises(MedflError) as error:
        grid(arms=list(range(5000)))
    *told, rest = str(error.value).split("; ")
    assert [line.split(":")[1] for line in told] == [f" `arms.{place}`" for place in range(10)]
    assert rest == "and 4,990 more mistakes"


def test_many_seeds_are_compared_once():
    """Each with each of 30,000 would take half a minute."""
    with pytest.raises(MedflError, match=r"`seeds`: 29999 stands there twice"):
        grid(seeds=[*range(30_000), 29_999])


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arms.yaml").write_text(yaml.safe_dump(ARMS))
    content = {
        "arms_file": "arms.yaml",
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["prox"],
        "seeds": [0],
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(content))
    assert read_grid("grid.yaml").arm_settings == {"prox": ARMS["prox"]}
    assert read_grid("grid.yaml", {"seeds": [1, 2]}).seeds == [1, 2]
    for text in ("- fedavg\n", "", "prox: 5\n", "1: {algorithm: fedavg}\n"):
        (tmp_path / "arms.yaml").write_text(text)
        with pytest.raises(MedflError, match=r"arms.yaml must map each arm's name"):
            read_grid("grid.yaml")
    (tmp_path / "arms.yaml").write_text("prox: {algorithm: fedprox, nu: 1}\n")
    with pytest.raises(MedflError, match=r"arms.yaml: arm `prox`: unknown key `nu`; known: mu"):
        read_grid("grid.yaml")
    (tmp_path / "arms.yaml").write_text("prox: {algorithm: fedavg}\nprox: {algorithm: moon}\n")
    with pytest.raises(MedflError, match=r"grid.yaml: arms_file: arms.yaml .*a key stands"):
        read_grid("grid.yaml")
    (tmp_path / "arms.yaml").unlink()
    with pytest.raises(MedflError, match=r"grid.yaml: arms_file: arms.yaml does not exist"):
        read_grid("grid.yaml")
    with pytest.raises(MedflError, match="cannot be read"):
        read_grid(tmp_path)
    (tmp_path / "grid.yaml").write_text("phantom\n")
    with pytest.raises(MedflError, match="must hold keys"):
        read_grid("grid.yaml")
    with pytest.raises(MedflError, match="does not exist"):
        read_grid("nowhere.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_grids_that_we_ship(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    if path.stem == "algorithms":
        arms = list(yaml.safe_load(path.read_text()))
        steps = {"federated_learning": {"local_steps": 5}}  # which arms with an ε ask for
        shared = {"arms_file": str(path), "arm_settings": {}, "datasets": ["phantom"]}
        shipped = grid(**shared, arms=arms, run=steps)
    else:
        shipped = read_grid(path)
    assert shipped.cells()


PATIENTS = {
    "algorithm": "fedavg",
    "privacy": {"differential_privacy": "patient", "noise_multiplier": 1.0},
}
LINKED = {"algorithm": "fedavg", "chain": {"links": {"dp_patient": {"noise_multiplier": 2.0}}}}
OTHER = {"algorithm": "fedavg", "chain": {"links": {"dp_patient": {"noise_multiplier": 3.0}}}}


def groups(dataset, *arms):
    settings = {"dp-patient-eps8": PATIENTS, "patient-dp": LINKED, "outpatient": OTHER}
    run = {"federated_learning": {"local_steps": 5}}
    return grid(datasets=[dataset], arm_settings=settings, arms=list(arms), run=run)


def test_an_arm_that_protects_patients_takes_the_datasets_word_for_its_groups():
    found = groups("ham10000-32", "dp-lesion-eps8", "lesion-dp", "outpatient")
    assert found.arm_settings["dp-lesion-eps8"] == PATIENTS
    assert found.arm_settings["lesion-dp"] == LINKED
    links = {cell.arm: found.run_config(cell).chain.links for cell in found.cells()}
    assert links["dp-lesion-eps8"] == {"dp_patient": {"noise_multiplier": 1.0}}
    assert groups("phantom", "dp-patient-eps8").cells()[0].arm == "dp-patient-eps8"


def test_an_arm_is_not_named_after_patients_where_it_protects_something_else():
    expected = r"would protect lesions, .* of ham10000-32: write `dp-lesion-eps8`"
    with pytest.raises(MedflError, match=expected):
        groups("ham10000-32", "dp-patient-eps8")
    with pytest.raises(MedflError, match=r"would protect images, .*: write `image-dp`"):
        groups("pneumoniamnist", "patient-dp")
    with pytest.raises(MedflError, match="unknown arm `dp-lesion-eps8`"):
        groups("phantom", "dp-lesion-eps8")


def beside(run=None, where="phantom/iid", **arms):
    """A grid of `dp` (10 local steps, an ε of an image) and of ``arms``."""
    steps = {"local_steps": 10}
    image = {"differential_privacy": "image", "target_epsilon": 8.0}
    private = {"algorithm": "fedavg", "privacy": image, "federated_learning": steps}
    dataset, partition = where.split("/")
    return grid(
        arm_settings={"dp": private, **arms},
        arms=["dp", *arms],
        run={"federated_learning": {"rounds": 2}, **(run or {})},
        datasets=[dataset],
        partitions=[partition],
    )


@pytest.mark.parametrize(
    ("steps", "said"),
    [({"local_steps": 20}, "20"), ({"local_epochs": 1}, "whole passes"), ({}, "whole passes")],
)
def test_beside_an_epsilon_all_arms_take_the_same_local_steps(steps, said):
    plain = {"algorithm": "fedavg", "federated_learning": steps}
    with pytest.raises(MedflError) as error:
        beside(plain=plain)
    assert str(error.value) == (
        f"grid.yaml: `arms`: dp takes 10 local steps on phantom, iid, and plain {said}: the other "
        "work would pass for the price of privacy. Set run.federated_learning.local_steps for all "
        "arms and leave it out of each, or give these two grids of their own."
    )
    beside(plain={**plain, "federated_learning": {"local_steps": 10}})
    # Without an ε arms may differ, and so may datasets.
    other = {"algorithm": "fedavg", "federated_learning": {"local_steps": 10}}
    grid(arm_settings={"plain": plain, "other": other}, arms=["plain", "other"])
    of = {"phantom": {"federated_learning": {"local_steps": 7}}}
    grid(
        arm_settings={"dp-patient": PATIENTS, "plain": {"algorithm": "fedavg"}},
        arms=["dp-patient", "plain"],
        datasets=["phantom", "phantom3d"],
        run={"federated_learning": {"local_steps": 10}},
        dataset_settings=of,
    )


def without_noise(link="dp_image", algorithm="fedavg", params=None, **sections):
    links = {link: {"noise_multiplier": 0, **(params or {})}}
    learning = {"local_steps": 10}
    return {
        "algorithm": algorithm,
        "chain": {"links": links},
        "federated_learning": learning,
        **sections,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"augmentation": {"preset": "xray"}},
            "augmentation is {'preset': 'xray'} in place of {}",
        ),
        ({"training": {"batch_size": 64}}, "training.batch_size is 64 in place of 32"),
        ({"params": {"size_step": 20}}, "dp_image.size_step is 20 in place of 10"),
        ({"model": {"name": "mlp"}}, "model.name is mlp in place of cnn"),
    ],
)
def test_a_reference_without_noise_is_like_its_arm_in_all_else(changes, words):
    with pytest.raises(MedflError) as error:
        beside(inf=without_noise(**changes))
    expected = (
        f"`arms`: inf is to show what dp would be without noise, and on phantom, iid its {words}"
    )
    assert expected in str(error.value)
    # One that is alike beside it is enough, and others are no reference of this arm.
    beside(alike=without_noise(), inf=without_noise(**changes))
    beside(inf=without_noise("dp_patient", **{**changes, "params": {}}))
    beside(inf=without_noise(algorithm="fedprox", **changes))


def test_a_hospital_reference_has_the_same_group_norm():
    links = {"dp_hospital": {"target_epsilon": 8.0}}
    same = {"weighting": "uniform", "local_steps": 10}
    noised = {"algorithm": "fedavg", "federated_learning": same, "chain": {"links": links}}
    silent = {**noised, "chain": {"links": {"dp_hospital": {"noise_multiplier": 0}}}}
    arms = {"dp": {**noised, "model": {"normalization": "group"}}, "inf": silent}
    with pytest.raises(MedflError, match=r"its model.normalization is batch in place of group"):
        grid(arm_settings=arms, arms=list(arms))


def test_the_grid_is_read_without_torch():
    code = "import sys, medfl.grid, medfl.commands.call; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
