"""`dvc repro`: what runs again, and results that come back from a remote without training."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import GRID, Workflow, copy_workflow

pytestmark = pytest.mark.slow
FOLDS = {"min_samples": 2, "val_fraction": 0.15, "test_fraction": 0.2}


def dvc(project: Workflow, *words: str) -> str:
    done = project.run(sys.executable, "-m", "dvc", *words)
    return done.stdout + done.stderr


def commands(project: Workflow) -> dict[str, int]:
    return dict(Counter(call.split()[0] for call in project.calls()))


def lock(project: Workflow) -> dict:
    return yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]


def git(project: Workflow, *words: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    project.run("git", *who, *words)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    pytest.importorskip("dvc")
    folder = tmp_path_factory.mktemp("dvc") / "project"
    copy_workflow(folder)
    project = Workflow(folder)
    project.write_grid(**FOLDS)
    git(project, "init", "--quiet")
    dvc(project, "repro")
    assert commands(project) == {"prepare": 1, "split": 4, "run": 8, "aggregate": 1, "report": 1}
    return project


def test_a_life_of_edits(project):
    assert "didn't change, skipping" in dvc(project, "repro")
    assert commands(project) == {}

    project.write_grid(**FOLDS, partitions=["iid", "dirichlet-0.3"])
    dvc(project, "repro")
    assert commands(project) == {"split": 2, "run": 4, "aggregate": 1, "report": 1}

    project.append("medfl/algorithms/fedprox.py", "\n# edited\n")
    dvc(project, "repro")
    assert commands(project) == {"run": 4, "aggregate": 1, "report": 1}

    project.append("medfl/algorithms/moon.py", "\n# edited, and in no arm of the grid\n")
    dvc(project, "repro")
    assert commands(project) == {}

    project.environment["FAKE_MEDFL_FAIL"] = "seed5"
    project.write_grid(**FOLDS, partitions=["iid", "dirichlet-0.3"], seeds=[0, 1, 5])
    locked = lock(project)
    with pytest.raises(AssertionError, match="failed to reproduce 'benchmark'"):
        dvc(project, "repro")
    assert lock(project)["split@phantom"] != locked["split@phantom"]
    assert lock(project)["benchmark"] == locked["benchmark"]
    assert commands(project) == {"split": 2, "run": 4}
    del project.environment["FAKE_MEDFL_FAIL"]
    dvc(project, "repro")
    assert commands(project) == {"run": 4, "aggregate": 1, "report": 1}
    # The fake counts every run in the folder: 12 of this grid, 4 of the alpha that was before.
    assert "16" in dvc(project, "metrics", "show")


def test_pushed_deleted_pulled_and_cloned_without_training(project, tmp_path):
    dvc(project, "repro")
    project.calls()
    remote = tmp_path / "remote"
    dvc(project, "remote", "add", "--force", "--default", "--local", "store", str(remote))
    dvc(project, "push")
    git(project, "add", "--all", ".")
    git(project, "commit", "--quiet", "--message", "results")
    before = {
        path.relative_to(project.folder): path.read_bytes()
        for path in (project.folder / "results/runs").rglob("*")
        if path.is_file()
    }
    for name in ("results", "data/splits", ".dvc/cache"):
        shutil.rmtree(project.folder / name)

    dvc(project, "pull")
    for name, content in before.items():
        assert (project.folder / name).read_bytes() == content
    assert "didn't change" in dvc(project, "repro")
    assert commands(project) == {}
    assert project.planned() == {}

    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", project.folder, clone], check=True)
    shutil.copy(project.folder / ".dvc/config.local", clone / ".dvc")
    shutil.rmtree(clone / "bin", ignore_errors=True)
    other = Workflow(clone)
    other.calls()
    dvc(other, "pull")
    dvc(other, "repro")
    assert commands(other) == {}
    assert "train" not in other.planned()

    # Going on from pulled results, as docs/pipeline.md says: only what is new runs.
    other.snakemake("--cores", "1", "prepared")
    other.snakemake("--cores", "1", "--touch", "runs")
    seeds = [*grid_seeds(project), 9]
    other.write_grid(**FOLDS, partitions=grid_partitions(project), seeds=seeds)
    plan = other.planned()
    assert (plan["split"], plan["train"]) == (2, 4)


def grid_seeds(project: Workflow) -> list[int]:
    runs = Path(project.folder, "results/runs/phantom")
    return sorted({int(path.name[4:]) for path in runs.glob("*/fedavg/seed*")})


def grid_partitions(project: Workflow) -> list[str]:
    text = (project.folder / "params/default.yaml").read_text()
    return ["iid", "dirichlet-0.3"] if "0.3" in text else list(GRID["partitions"])
