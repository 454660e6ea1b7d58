"""What the Snakefile asks of a grid, without Snakemake."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.files import sha256_file
from medfl.grid import Cell, read_grid
from medfl.partition.code import split_code
from medfl.partition.place import sidecar
from medfl.pipeline.at_work import ALONE
from medfl.pipeline.workflow import Workflow
from medfl.sources import source_sha

GRID = {
    "arms_file": None,
    "arm_settings": {
        "fedavg": {"algorithm": "fedavg"},
        "prox": {"algorithm": "fedprox", "mu": 0.1},
    },
    "datasets": ["phantom", "ham10000-32"],
    "partitions": ["iid", "site"],
    "arms": ["fedavg", "prox"],
    "seeds": [0, 3],
    "num_clients": 4,
    "dataset_settings": {"ham10000-32": {"num_clients": 7}},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("MEDFL_DATA", "MEDFL_JOBS_PER_GPU"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEDFL_GRID", "")  # so that what a start sets is taken back
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path


def flow(config=None, **changes) -> Workflow:
    content = {**GRID, **changes}
    Path("grid.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return Workflow.open(["grid.yaml"], config or {})


def wild(**words) -> SimpleNamespace:
    usual = {"dataset": "phantom", "partition": "iid", "arm": "prox", "seed": "3"}
    return SimpleNamespace(**{**usual, "dealing": "clients4", **words})


def test_what_there_is_to_make():
    found = flow()
    assert found.stores == [
        "data/prepared/phantom/dataset.yaml",
        "data/prepared/ham10000-32/dataset.yaml",
    ]
    assert len(found.runs) == 16
    assert found.runs[0] == "results/runs/phantom/iid/fedavg/seed0/metrics.json"
    assert found.splits("ham10000-32") == [
        "data/splits/ham10000-32/iid/clients7/seed0.csv",
        "data/splits/ham10000-32/iid/clients7/seed3.csv",
        "data/splits/ham10000-32/site/natural/seed0.csv",
        "data/splits/ham10000-32/site/natural/seed3.csv",
    ]
    assert len(found.splits()) == 8
    assert found.order == [["phantom", "ham10000-32"], ["iid", "site"], ["fedavg", "prox"], [0, 3]]
    elsewhere = flow(work_root="w", splits_dir="s", output_dir="o")
    assert elsewhere.stores[0] == "w/prepared/phantom/dataset.yaml"
    assert elsewhere.splits()[0].startswith("s/")
    assert elsewhere.runs[0].startswith("o/runs/")


def test_predictions_are_promised_where_every_run_keeps_them():
    assert flow().keeps_predictions
    assert not flow(run={"keep": {"predictions": False}}).keeps_predictions
    arms = {
        **GRID["arm_settings"],
        "prox": {"algorithm": "fedprox", "keep": {"predictions": False}},
    }
    assert not flow(arm_settings=arms).keeps_predictions


def test_one_grid_is_read_and_a_key_stands_once(folder):
    with pytest.raises(MedflError, match="name one grid"):
        Workflow.open(["a.yaml", "b.yaml"], {})
    (folder / "twice.yaml").write_text("seeds: [0]\nseeds: [1]\n")
    with pytest.raises(MedflError, match="a key stands there a second time"):
        Workflow.open(["twice.yaml"], {})
    with pytest.raises(MedflError, match=r"grid.yaml: unknown key `sed`; did you mean `seeds`"):
        flow(sed=[1])


def test_what_the_command_line_says_is_put_into_the_file():
    grid = flow(
        {"seeds": [5], "run": {"training": {"momentum": 0.5}}}, run={"model": {"name": "mlp"}}
    )
    assert grid.grid.seeds == [5]
    assert grid.grid.run.training == {"momentum": 0.5}
    assert grid.grid.run.model == {"name": "mlp"}


def test_the_commands_read_a_grid_that_no_edit_reaches(folder):
    started = flow()
    assert started.file.parents[1] == Path(".snakemake/medfl")
    as_it_was = started.file.read_bytes()
    assert read_grid(started.file) == started.grid
    assert flow().file == started.file  # by content
    assert flow(seeds=[6]).file != started.file
    assert started.file.read_bytes() == as_it_was


def test_the_arms_are_fixed_with_the_grid(folder):
    arms = folder / "arms.yaml"
    arms.write_text(yaml.safe_dump(GRID["arm_settings"]), encoding="utf-8")
    started = flow(arms_file="arms.yaml", arm_settings={})
    arms.write_text("half an edit: [")
    again = read_grid(started.file)
    assert again.arm_settings == GRID["arm_settings"]
    assert again.cells() == started.grid.cells()


def test_a_job_on_another_machine_reads_what_the_start_has_fixed(folder):
    (folder / "params/datasets").mkdir(parents=True)
    (folder / "hospital").mkdir()
    description = folder / "params/datasets/hospital.yaml"
    description.write_text("folder: ../../hospital\ntitle: Before\n")
    started = flow(datasets=["hospital"], dataset_settings={})
    before = started.store_code(wild(dataset="hospital"))
    for edited in ("folder: ../../hospital\ntitle: After\n", "half an edit: ["):
        description.write_text(edited)
        job = Workflow.open([started.file.absolute()], {}, in_job=True)
        assert job.grid == started.grid
        assert job.file == started.file.absolute()
        assert parse_dataset("hospital").dataset.title == "Before"
        assert job.store_code(wild(dataset="hospital")) == before
    description.write_text("folder: ../../hospital\ntitle: After\n")
    assert flow(datasets=["hospital"], dataset_settings={}).file != started.file
    assert parse_dataset("hospital").dataset.title == "After"


def test_the_commands_shells():
    started = flow()
    environment = started.environment("/a/checkout")
    assert environment["MEDFL_GRID"] == str(started.file)
    assert environment["MEDFL_SOURCE"] == "/a/checkout"
    first, *_, last = environment["PATH"].split(os.pathsep)
    assert last == str(Path(sys.executable).parent)
    assert first == os.environ["PATH"].split(os.pathsep)[0]


def test_options_of_prepare():
    assert flow().prepare_options == ["--work-root", "data"]
    options = flow(data_root="/raw", work_root="w", allow_partial=True).prepare_options
    assert options == ["--data-root", "/raw", "--work-root", "w", "--allow-partial"]


def test_options_of_split():
    folds = ["--min-samples", "2", "--min-val", "5", "--min-test", "10"]
    folds += ["--val-fraction", "0.15", "--test-fraction", "0.2"]
    found = flow()
    assert found.split_options(wild()) == ["--num-clients", "4", *folds]
    assert found.split_options(wild(partition="site", dealing="natural")) == folds
    own = wild(dataset="ham10000-32", dealing="clients7")
    assert found.split_options(own)[:2] == ["--num-clients", "7"]
    drawn = flow(official_folds=False, min_samples=5)
    options = drawn.split_options(wild(dealing="clients4-min5-drawn"))
    assert options[2:4] == ["--min-samples", "5"]
    assert options[-1] == "--no-official-folds"
    few = {"report": {"minimum_cell": 10}, "dataset_settings": {}}
    assert flow(**few).split_options(wild())[2:4] == ["--minimum-cell", "10"]
    assert flow(**few).grid.minimum_cells["phantom"] == 10
    assert found.grid.minimum_cells["phantom"] == 0
    divided = flow(allow_divided_patients=True).split_options(wild(dealing="clients4-divided"))
    assert divided[-1] == "--allow-divided-patients"
    with pytest.raises(MedflError, match="deals phantom/iid as clients4, not as clients9"):
        found.split_options(wild(dealing="clients9"))


def test_options_are_taken_by_the_command():
    from medfl.commands.call import parser

    options = flow(official_folds=False).split_options(wild(dealing="clients4-drawn"))
    command = ["split", "phantom", "--partition", "iid", "--output", "o.csv", *options]
    parsed = parser().parse_args(command)
    assert (parsed.num_clients, parsed.min_samples, parsed.official_folds) == (4, 2, False)


def test_a_run_is_stale_by_its_settings_and_its_code():
    found = flow()
    cell = Cell("phantom", "iid", "prox", 3)
    assert found.split_file(wild()) == "data/splits/phantom/iid/clients4/seed3.csv"
    assert found.run_settings(wild()) == fingerprint(found.grid.run_config(cell))
    assert found.run_settings(wild()) != found.run_settings(wild(arm="fedavg"))
    assert found.run_code(wild()) != found.run_code(wild(arm="fedavg"))
    assert found.run_code(wild()) == found.run_code(wild(seed="0"))
    other = flow(run={"federated_learning": {"rounds": 3}})
    assert other.run_settings(wild()) != found.run_settings(wild())
    assert other.run_code(wild()) == found.run_code(wild())


def test_a_finished_run_of_other_settings_or_code_is_stale(folder):
    found = flow()
    record = folder / found.record(wild())
    record.parent.mkdir(parents=True)
    code = run_code(found.grid.run_config(Cell("phantom", "iid", "prox", 3)))
    origin = {
        "config_sha256": found.run_settings(wild()),
        "code_sha": code.sha,
        "results_versions": code.versions,
    }

    def stale(**changes) -> bool:
        content = {"status": "completed", "provenance": {**origin, **changes}, "test": {}}
        record.write_text(json.dumps(content, indent=2))
        return found.is_stale(wild())

    assert not found.is_stale(wild(arm="fedavg")), "a run that is not there is no stale one"
    assert not stale()
    assert stale(config_sha256="0" * 64)
    assert stale(code_sha="0" * 64, results_versions="engine 0")
    assert stale(code_sha="0" * 64, results_versions=None)
    assert not stale(results_versions="engine 0"), "the very same sources"
    record.write_text("{}")
    assert not found.is_stale(wild())


def test_a_finished_run_of_another_split_or_store_is_stale(folder):
    """`dvc repro` makes splits in a start of its own, after which Snakemake sees no other bytes."""
    grid = {"datasets": ["phantom"], "partitions": ["iid"], "dataset_settings": {}}
    found = flow(**grid)
    code = run_code(found.grid.run_config(Cell("phantom", "iid", "prox", 3)))
    split, store = Path(found.split_file(wild())), Path("data/prepared/phantom/dataset.yaml")
    origin = {
        "config_sha256": found.run_settings(wild()),
        "code_sha": code.sha,
        "results_versions": code.versions,
        "split_sha256": hashlib.sha256(b"table").hexdigest(),
        "store_fingerprint": "b" * 64,
    }
    record = Path(found.record(wild()))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"schema": 3, "provenance": origin}))
    assert not flow(**grid).is_stale(wild()), "neither is there: what makes them tells the run"
    split.parent.mkdir(parents=True)
    store.parent.mkdir(parents=True)
    split.write_bytes(b"table")
    sidecar(split).write_text("{}")
    for noted, stale in (("b" * 64, False), ("c" * 64, True), ("''", False)):
        store.write_text(f"name: phantom\nstore_sha256: {noted}\n")
        assert flow(**grid).is_stale(wild()) == stale, noted
    split.write_bytes(b"other")
    assert flow(**grid).is_stale(wild())


def test_a_split_that_a_person_gave_is_read_and_counts_by_its_content(folder):
    for seed in (0, 3):
        Path(f"mine{seed}.csv").write_text("sample,client,fold\na,0,train\nb,1,train\n")
    grid = {"datasets": ["phantom"], "partitions": ["iid"], "dataset_settings": {}}
    found = flow(**grid, num_clients=2, split_file="mine{seed}.csv")
    assert found.splits() == ["mine0.csv", "mine3.csv"]
    assert found.split_file(wild()) == "mine3.csv"
    assert found.given_store(wild()) == ["data/prepared/phantom/samples.csv"]
    assert found.notes == [
        "mine0.csv and 1 more splits are used as given; medfl never writes there"
    ]

    config = found.grid.run_config(Cell("phantom", "iid", "prox", 3))
    assert (config.split_file, config.allow_left_out) == ("mine3.csv", False)
    assert fingerprint(config) == fingerprint(config.model_copy(update={"split_file": None}))
    code = run_code(config)
    made = {"config_sha256": fingerprint(config), "code_sha": code.sha}
    made |= {"results_versions": code.versions, "split_sha256": sha256_file(Path("mine3.csv"))}
    record = Path(found.record(wild()))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"schema": 3, "provenance": made}))
    assert not found.is_stale(wild())
    Path("mine3.csv").write_text("sample,client,fold\na,1,train\nb,0,train\n")
    assert flow(**grid, num_clients=2, split_file="mine{seed}.csv").is_stale(wild())

    assert flow(**grid, num_clients=2).given_store(wild()) == []
    with pytest.raises(MedflError, match="has 2 clients, but the grid has num_clients 4"):
        flow(**grid, num_clients=4, split_file="mine{seed}.csv")


def test_snakemake_compares_the_code_that_a_kept_run_was_made_of(folder):
    """A run of edited sources that were stamped afterwards is kept, as `medfl run` keeps it."""
    found = flow()
    code = run_code(found.grid.run_config(Cell("phantom", "iid", "prox", 3)))
    record = folder / found.record(wild())
    record.parent.mkdir(parents=True)

    def compared(**origin) -> str:
        record.write_text(json.dumps({"provenance": {"config_sha256": "", **origin}}, indent=2))
        return found.run_code(wild())

    assert compared(code_sha=code.sha, results_versions=None) == code.sha
    assert compared(code_sha="0" * 64, results_versions=code.versions) == code.identity
    assert compared(code_sha="0" * 64, results_versions="engine 0") == code.identity
    assert compared() == code.identity


def test_a_second_start_in_the_folder_of_the_results_is_refused(folder, monkeypatch):
    monkeypatch.delenv("MEDFL_STARTED", raising=False)
    first = flow().start()
    assert first.how == ALONE
    with pytest.raises(MedflError, match=r"another grid is at work in results \(process \d+ on "):
        flow(seeds=[7]).start()
    first.leave()
    flow(seeds=[7]).start().leave()


def test_stores_splits_and_reports_are_stale_by_their_code():
    found = flow()
    assert found.store_code(wild()) != found.store_code(wild(dataset="ham10000-32"))
    assert found.split_code(wild(partition="site")) == split_code("site").identity
    assert found.tables_code == source_sha("medfl.report")
    assert found.report_code == source_sha("medfl.report", "medfl.pages")


def test_a_persons_own_figure_counts_for_the_report(folder):
    own = (
        "from medfl.report.plots.base import GridFigure\nclass Mine(GridFigure):\n"
        "    title = needs = ''\n    def caption(self, subject): ...\n"
        "    def draw(self, subject): ...\n"
    )
    (folder / "my_figures.py").write_text(own)
    found = flow(figures=["clients", "my_figures:Mine"])
    before = found.report_code
    assert before.startswith(f"{flow().report_code} ")
    (folder / "my_figures.py").write_text(own + "# edited\n")
    assert found.report_code != before
    sys.modules.pop("my_figures")


def test_an_edited_description_makes_the_store_older_than_a_file(folder):
    (folder / "params/datasets").mkdir(parents=True)
    (folder / "hospital").mkdir()
    description = folder / "params/datasets/hospital.yaml"
    description.write_text("folder: ../../hospital\nsize: 32\n")
    found = flow(datasets=["phantom", "hospital"], dataset_settings={})
    assert found.description(wild()) == []
    [file] = found.description(wild(dataset="hospital"))
    assert Path(file).stat().st_mtime == 10**9  # no store, or one that it describes
    store = folder / "data/prepared/hospital"
    store.mkdir(parents=True)
    (store / "dataset.yaml").write_text("title: made by another description\n")
    [file] = flow(datasets=["hospital"], dataset_settings={}).description(wild(dataset="hospital"))
    assert Path(file).stat().st_mtime >= (store / "dataset.yaml").stat().st_mtime


def test_gpus_are_counted_where_the_grid_wants_them(monkeypatch):
    assert flow().gpu_slots == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("MEDFL_JOBS_PER_GPU", "3")
    assert flow().gpu_slots == 6
    assert flow(run={"training": {"device": "cpu"}}).gpu_slots == 0
    monkeypatch.setenv("MEDFL_JOBS_PER_GPU", "many")
    with pytest.raises(MedflError, match="MEDFL_JOBS_PER_GPU"):
        flow()


@pytest.mark.parametrize(
    ("training", "cores"),
    [
        ({}, 1),
        ({"workers": "auto"}, 1),
        ({"workers": 3}, 3),
        ({"workers": 16}, 4),  # of 4 clients
        ({"threads": 2}, 2),
        ({"threads": 6, "workers": 1}, 6),
    ],
)
def test_a_job_has_the_cores_that_its_run_uses(training, cores):
    assert flow(run={"training": training}).run_cores(wild()) == cores


def test_a_job_has_no_cores_for_workers_that_would_have_no_client():
    arms = {"pooled": {"algorithm": "centralized"}}
    pooled = {"arm_settings": arms, "arms": ["pooled"], "partitions": ["iid"]}
    wanted = {"training": {"workers": 4}}
    assert flow(run=wanted, **pooled).run_cores(wild(arm="pooled")) == 1
    some = {**wanted, "federated_learning": {"clients_per_round": 2}}
    assert flow(run=some).run_cores(wild()) == 2
    natural = flow(run=wanted)  # as many clients as sites, which only the data know
    assert natural.run_cores(wild(partition="site", dataset="ham10000-32")) == 4


def test_it_starts_without_torch_and_matplotlib():
    loaded = "bool({'torch', 'matplotlib'} & set(sys.modules))"
    code = f"import sys, medfl.pipeline.workflow; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_grid_whose_data_lack_its_sites_is_refused_before_anything_is_fixed(folder):
    with pytest.raises(
        MedflError, match=r"^[^:]+: braintumor-32 names no sites, .* `site`: leave that"
    ):
        flow(datasets=["braintumor-32"], partitions=["iid", "site"], dataset_settings={})
    assert [path.name for path in folder.iterdir()] == ["grid.yaml"]
    with pytest.raises(MedflError, match=r"ham10000-32 has no site `nowhere` to leave out"):
        flow(datasets=["ham10000-32"], partitions=["leave-out-nowhere"], dataset_settings={})
