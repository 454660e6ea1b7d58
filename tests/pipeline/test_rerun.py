"""What runs again after which change: jobs are counted, nothing is trained."""

from __future__ import annotations

import pytest
import yaml
from stamp import stamp_copy
from workflows import GRID

ALWAYS = {"aggregate": 1, "report": 1}


def test_a_repeated_start_runs_nothing(workflow):
    assert workflow.planned() == {}


def test_an_added_seed_runs_only_its_own(workflow):
    workflow.write_grid(seeds=[0, 1, 2])
    assert workflow.planned() == {**ALWAYS, "split": 2, "train": 4}


@pytest.mark.slow
def test_an_added_arm_runs_only_its_own(workflow):
    workflow.write_grid(arms=["fedavg", "fedprox", "scaffold"])
    assert workflow.planned() == {**ALWAYS, "train": 4}


@pytest.mark.slow
def test_an_arm_on_pooled_samples_runs_once_a_seed_for_all_partitions(workflow):
    workflow.write_grid(arms=["fedavg", "fedprox", "centralized"])
    assert workflow.planned() == {**ALWAYS, "split": 2, "train": 2}
    workflow.snakemake("--cores", "1")
    words = [call.split("--output-dir ")[1].split() for call in workflow.calls() if "run " in call]
    ran = sorted(folder for folder, *_ in words)
    assert ran == [f"results/runs/phantom/pooled/centralized/seed{k}" for k in (0, 1)]
    assert workflow.planned() == {}
    workflow.write_grid(
        arms=["fedavg", "fedprox", "centralized"], partitions=["iid", "dirichlet-0.5", "noise-0.1"]
    )
    # Noise changes images: its own run, for each seed.
    assert workflow.planned() == {**ALWAYS, "split": 2, "train": 6}


@pytest.mark.slow
def test_a_changed_alpha_runs_only_its_own(workflow):
    workflow.write_grid(partitions=["iid", "dirichlet-0.3"])
    assert workflow.planned() == {**ALWAYS, "split": 2, "train": 4}


def test_a_changed_arm_runs_only_that_arm(workflow):
    path = workflow.folder / "params/algorithms.yaml"
    arms = yaml.safe_load(path.read_text())
    arms["fedprox"]["mu"] = 0.5
    path.write_text(yaml.safe_dump(arms))
    assert workflow.planned() == {**ALWAYS, "train": 4}


@pytest.mark.slow
def test_a_changed_setting_of_every_run_trains_all_and_splits_nothing(workflow):
    workflow.write_grid(run={"federated_learning": {"rounds": 3}})
    assert workflow.planned() == {**ALWAYS, "train": 8}


@pytest.mark.slow
def test_other_clients_have_splits_of_their_own(workflow):
    old = workflow.folder / "data/splits/phantom/iid/clients4/seed0.csv"
    before = old.read_bytes()
    workflow.write_grid(num_clients=5, output_dir="elsewhere")
    assert workflow.planned() == {**ALWAYS, "split": 4, "train": 8}
    workflow.snakemake("--cores", "1", "splits")
    assert old.with_name("seed0.csv").read_bytes() == before
    assert (workflow.folder / "data/splits/phantom/iid/clients5/seed0.csv").exists()
    # The grid of four clients finds its own as they were.
    workflow.write_grid()
    assert workflow.planned() == {}


@pytest.mark.slow
def test_splits_from_others_are_read_and_never_written(workflow):
    text = "sample,client,fold\n" + "".join(f"s{i},{i},train\n" for i in range(4))
    mine = [
        workflow.folder / f"mine/{word}{seed}.csv" for word in GRID["partitions"] for seed in (0, 1)
    ]
    mine[0].parent.mkdir()
    for path in mine:
        path.write_text(text)
    workflow.write_grid(split_file="mine/{partition}{seed}.csv", output_dir="elsewhere")
    assert workflow.planned() == {**ALWAYS, "train": 8}
    done = workflow.snakemake("--cores", "2")
    assert "mine/dirichlet-0.50.csv and 3 more splits are used as given" in done.stderr
    assert [path.read_text() for path in mine] == [text] * 4
    assert "--split mine/iid1.csv" in "\n".join(workflow.calls())
    assert workflow.planned() == {}
    mine[0].write_text(text.replace("s0,0", "s0,1").replace("s1,1", "s1,0"))
    assert workflow.planned() == {**ALWAYS, "train": 2}


@pytest.mark.slow
def test_a_file_put_among_the_grids_own_splits_is_refused_and_stays(workflow):
    path = workflow.folder / "data/splits/phantom/iid/clients4/seed7.csv"
    path.write_text("sample,client,fold\ns0,0,train\n")
    workflow.write_grid(seeds=[0, 1, 7])
    done = workflow.snakemake("--cores", "1", check=False)
    assert done.returncode != 0
    assert "seed7.csv was not made by medfl" in done.stdout + done.stderr
    assert path.exists()
    assert workflow.calls() == []


@pytest.mark.slow
def test_a_split_that_the_grid_does_not_deal_is_refused(workflow):
    other = "data/splits/phantom/iid/clients7/seed0.csv"
    done = workflow.snakemake("--cores", "1", other, check=False)
    assert done.returncode != 0
    assert "deals phantom/iid as clients4, not as clients7" in done.stdout + done.stderr


@pytest.mark.slow
def test_where_a_run_is_computed_changes_nothing(workflow):
    run = {"federated_learning": {"rounds": 2}, "training": {"device": "cpu"}}
    workflow.write_grid(run=run)
    assert workflow.planned() == {}


def test_predictions_that_were_not_brought_along_train_nothing(workflow):
    """In a clone DVC brings the records and, for people's own data, no predictions."""
    kept = sorted((workflow.folder / "results").rglob("predictions.npz"))
    assert len(kept) == 8
    for path in kept:
        path.unlink()
    assert workflow.planned() == {}


@pytest.mark.slow
def test_a_grid_that_keeps_no_predictions_promises_none(workflow):
    workflow.environment["FAKE_MEDFL_WITHOUT_PREDICTIONS"] = "1"
    run = {"federated_learning": {"rounds": 2}, "keep": {"predictions": False}}
    workflow.write_grid(run=run)
    assert workflow.planned() == {}, "the numbers of the runs that are there stay"
    workflow.write_grid(run=run, seeds=[0, 1, 2])
    workflow.snakemake("--cores", "2", "--quiet", "all", "--", "runs")
    assert sum(call.startswith("run") for call in workflow.calls()) == 4


def test_editing_one_algorithm_runs_only_its_arms(workflow):
    workflow.append("medfl/algorithms/fedprox.py", "\n# edited\n")
    assert workflow.planned() == {**ALWAYS, "train": 4}


@pytest.mark.slow
def test_an_edit_that_changes_no_number_runs_nothing_once_it_is_stamped(workflow):
    for name in ("algorithms/fedprox", "federated/server", "partition/folds"):
        workflow.append(f"medfl/{name}.py", "\n# said better\n")
    assert workflow.planned() == {**ALWAYS, "split": 4, "train": 8}
    stamp_copy(workflow.folder)
    assert workflow.planned() == {}


@pytest.mark.slow
def test_editing_an_unused_algorithm_or_network_runs_nothing(workflow):
    workflow.append("medfl/algorithms/moon.py", "\n# edited\n")
    workflow.append("medfl/models/backbones.py", "\n# edited\n")
    assert workflow.planned() == {}


@pytest.mark.slow
def test_editing_the_engine_trains_all(workflow):
    workflow.append("medfl/federated/server.py", "\n# edited\n")
    assert workflow.planned() == {**ALWAYS, "train": 8}


@pytest.mark.slow
def test_editing_the_tables_trains_nothing(workflow):
    workflow.append("medfl/report/tables.py", "\n# edited\n")
    assert workflow.planned() == ALWAYS


@pytest.mark.slow
def test_a_split_rewritten_with_the_same_bytes_runs_nothing(workflow):
    for path in (workflow.folder / "data/splits").rglob("*.csv"):
        path.write_bytes(path.read_bytes())
    assert workflow.planned() == {}
    path.write_text("sample,client,fold\nother,0,train\n")
    assert workflow.planned()["train"] == 2


@pytest.mark.slow
def test_another_grid_inherits_nothing_and_shares_the_splits(workflow):
    workflow.write_grid("other.yaml", output_dir="elsewhere", arms=["fedavg"], seeds=[0])
    assert workflow.planned("--configfile", "other.yaml") == {**ALWAYS, "train": 2}
