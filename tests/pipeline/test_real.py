"""The pipeline with the real `medfl`, as a user drives it: reruns, failures, DVC.

The other tests of this folder count jobs with a fake command. Here a phantom of 60 patients is
really drawn, split and trained on, so what Snakemake plans is also what the commands accept.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from workflows import Workflow, copy_workflow, jobs

pytestmark = pytest.mark.slow
TABLES = {"aggregate": 1, "report": 1}
SETTINGS = {
    "arms": ["fedavg", "scaffold"],
    "partitions": ["iid", "dirichlet-0.5"],
    "seeds": [0],
    "num_clients": 3,
    "run": {
        "federated_learning": {"rounds": 1, "local_steps": 2},
        "training": {"batch_size": 16, "device": "cpu"},
    },
}
BROKEN = """
from medfl.algorithms.base import FederatedAlgorithm


class Broken(FederatedAlgorithm):
    def step(self, total):
        raise RuntimeError("broken on purpose")
"""


def open_project(folder: Path) -> Workflow:
    project = Workflow(folder, fake=False)
    # This copy of medfl, whichever one is installed.
    project.environment["PYTHONPATH"] = str(folder)
    return project


def change(project: Workflow, **changes: object) -> None:
    project.write_grid(**{**SETTINGS, **changes})


def ran(project: Workflow, *options: str) -> dict[str, int]:
    done = project.snakemake("--cores", "1", *options)
    return jobs(done.stdout + done.stderr)


def contents(project: Workflow, where: str = "**") -> dict[str, bytes]:
    """The run folders' files; weights do not take part, they are not versioned."""
    runs = project.folder / "results/runs/phantom"
    files = [path for path in runs.glob(f"{where}/*") if path.is_file()]
    return {
        str(path.relative_to(runs)): path.read_bytes()
        for path in files
        if path.suffix != ".safetensors"
    }


def statuses(project: Workflow) -> dict[tuple[str, str], str]:
    with open(project.folder / "results/summary.csv", newline="", encoding="utf-8") as file:
        return {(row["partition"], row["arm"]): row["status"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the grid has run to its end."""
    pytest.importorskip("snakemake")
    folder = tmp_path_factory.mktemp("real") / "project"
    copy_workflow(folder)
    writer = folder / "medfl/phantom/writer.py"
    text = writer.read_text(encoding="utf-8")
    assert "patients: int = 780" in text
    writer.write_text(text.replace("patients: int = 780", "patients: int = 60"), encoding="utf-8")
    project = open_project(folder)
    change(project)
    assert ran(project) == {"prepare": 1, "split": 2, "train": 4, **TABLES}
    return folder


@pytest.fixture
def project(made, tmp_path):
    """A private copy; time stamps are kept."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    return open_project(folder)


def test_what_runs_again(project):
    assert ran(project) == {}

    change(project, seeds=[0, 1])
    assert ran(project) == {"split": 2, "train": 4, **TABLES}

    before = contents(project)
    project.append("medfl/algorithms/scaffold.py", "\n# edited\n")
    assert ran(project) == {"train": 4, **TABLES}
    after = contents(project)
    assert {name for name in after if after[name] != before[name]} >= {
        f"{partition}/scaffold/seed{seed}/metrics.json"
        for partition in SETTINGS["partitions"]
        for seed in (0, 1)
    }
    assert not [name for name in after if "fedavg" in name and after[name] != before[name]]
    # Another hash of the sources, and the same numbers.
    name = "iid/scaffold/seed0/metrics.json"
    old, new = json.loads(before[name]), json.loads(after[name])
    assert old["provenance"]["code_sha"] != new["provenance"]["code_sha"]
    assert old["last"] == new["last"]

    change(project, seeds=[0, 1], partitions=["iid", "dirichlet-0.3"])
    assert project.planned() == {"split": 2, "train": 4, **TABLES}
    change(project, seeds=[0, 1], arms=["fedavg", "scaffold", "fedprox"])
    assert project.planned() == {"train": 4, **TABLES}
    change(project, seeds=[0, 1])
    project.append("medfl/report/tables.py", "\n# edited\n")
    assert project.planned() == TABLES
    project.append("medfl/federated/server.py", "\n# edited\n")
    assert project.planned() == {"train": 8, **TABLES}


def test_an_edited_table_of_own_data(project):
    """Also of a store that was prepared by hand, of which Snakemake knows nothing."""
    images = project.folder / "data/raw/mine"
    images.mkdir(parents=True)
    for number in range(24):
        pixels = np.full((8, 8), 10 * number, np.uint8)
        Image.fromarray(pixels).save(images / f"i{number}.png")
    rows = [f"i{number},{'ab'[number % 2]}" for number in range(24)]
    (images / "labels.csv").write_text("\n".join(["file,label", *rows]))
    description = project.folder / "params/datasets/mine.yaml"
    description.parent.mkdir(exist_ok=True)
    description.write_text("folder: mine\ntable: labels.csv\nsize: 8\n")
    project.run(sys.executable, "-m", "medfl", "prepare", "mine")
    grid = {"datasets": ["mine"], "partitions": ["iid"], "arms": ["fedavg"], "num_clients": 2}
    change(project, **grid)
    steps = {"split": 1, "train": 1, **TABLES}
    assert ran(project) == steps
    assert ran(project) == {}
    (images / "labels.csv").write_text("\n".join(["file,label", *rows[:-1], "i23,a"]))
    assert ran(project) == {"prepare": 1, **steps}
    assert ran(project) == {}


def test_a_failed_and_a_diverged_arm(project):
    arms = {"fedavg": {"algorithm": "fedavg"}, "broken": {"algorithm": "broken:Broken"}}
    arms["hot"] = {"algorithm": "fedavg", "training": {"learning_rate": 1e6}}
    change(project, arms=list(arms), arm_settings=arms, partitions=["iid"])
    (project.folder / "broken.py").write_text(BROKEN)
    done = project.snakemake("--cores", "1", check=False)
    assert done.returncode != 0
    assert "RuntimeError: broken on purpose" in done.stdout + done.stderr
    log = project.folder / "results/logs/train/phantom/iid/broken/seed0.log"
    assert "RuntimeError: broken on purpose" in log.read_text()

    # Again and again: the tables are of what is there now, and what is there has these settings.
    change(project, arms=list(arms), arm_settings=arms)
    assert ran(project, "partial") == {"partial": 1}
    assert statuses(project)["dirichlet-0.5", "fedavg"] == "completed"
    run = {**SETTINGS["run"], "model": {"name": "logistic"}}
    change(project, arms=list(arms), arm_settings=arms, run=run)
    with pytest.raises(AssertionError, match="no run of the grid"):
        project.snakemake("--cores", "1", "partial")
    change(project, arms=list(arms), arm_settings=arms, partitions=["iid"])
    assert ran(project, "partial") == {"partial": 1}
    found = {arm: status for (_, arm), status in statuses(project).items()}
    assert found == {"fedavg": "completed", "broken": "missing", "hot": "diverged"}
    table = (project.folder / "results/tables/comparison.md").read_text()
    assert "| broken | missing" in table
    assert "| hot | diverged (1 of 1)" in table
    page = (project.folder / "results/report.html").read_text()
    assert "1 completed, 1 diverged, 1 missing" in page

    # Back to a grid whose tables had been made: they are made whole again.
    change(project)
    assert project.planned() == TABLES
    change(project, arms=list(arms), arm_settings=arms, partitions=["iid"])
    fixed = BROKEN.replace('raise RuntimeError("broken on purpose")', "super().step(total)")
    (project.folder / "broken.py").write_text(fixed)
    assert ran(project) == {"train": 1, **TABLES}
    assert "missing" not in statuses(project).values()


def test_dvc_from_the_first_run_to_a_clone(project, tmp_path):
    pytest.importorskip("dvc")
    project.git("init", "--quiet")
    assert jobs(project.dvc("repro")) == {}  # Snakemake had made all of it
    assert project.dvc("repro").count("didn't change, skipping") == 2

    change(project, partitions=["iid", "dirichlet-0.3"])
    assert jobs(project.dvc("repro")) == {"split": 1, "train": 2, **TABLES}
    project.append("medfl/algorithms/scaffold.py", "\n# edited\n")
    assert jobs(project.dvc("repro")) == {"train": 2, **TABLES}
    project.append("medfl/algorithms/moon.py", "\n# edited, and in no arm of the grid\n")
    assert jobs(project.dvc("repro")) == {}

    shown = yaml.safe_load(project.dvc("metrics", "show", "--json"))
    numbers = shown[""]["data"]["results/metrics.json"]["data"]["phantom"]["iid"]["fedavg"]
    assert 0 <= numbers["accuracy"] <= 1
    project.dvc("plots", "show")
    page = (project.folder / "dvc_plots/index.html").read_text()
    assert page.count('"arm": "scaffold"') == 2 * 2 * 2  # plots × partitions × rounds 0 and 1
    assert list((project.folder / "dvc_plots/static").glob("*convergence*.png"))

    remote = tmp_path / "remote"
    project.dvc("remote", "add", "--default", "--local", "store", str(remote))
    project.dvc("push")
    project.git("add", "--all", ".")
    project.git("commit", "--quiet", "--message", "results")
    before = contents(project)
    for name in ("results", "data/splits", ".dvc/cache"):
        shutil.rmtree(project.folder / name)
    project.dvc("pull")
    assert contents(project) == before
    assert project.dvc("repro").count("didn't change, skipping") == 2
    assert project.planned() == {}

    project.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    shutil.copy(project.folder / ".dvc/config.local", tmp_path / "clone/.dvc")
    clone = open_project(tmp_path / "clone")
    clone.dvc("pull")
    assert contents(clone) == before
    assert clone.dvc("repro").count("didn't change, skipping") == 2
    assert clone.planned() == TABLES
    # Going on from pulled results, as docs/pipeline.md says: only what is new runs.
    assert ran(clone, "prepared") == {"prepare": 1}
    ran(clone, "--touch", "runs")
    change(clone, partitions=["iid", "dirichlet-0.3"], seeds=[0, 9])
    assert ran(clone) == {"split": 2, "train": 4, **TABLES}
    assert before.items() <= contents(clone).items()
