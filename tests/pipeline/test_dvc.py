"""`dvc repro`: what runs again. test_real.py does the same, and more, with the real command."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml
from workflows import Workflow, copy_workflow

pytestmark = pytest.mark.slow


def commands(project: Workflow) -> dict[str, int]:
    return dict(Counter(call.split()[0] for call in project.calls()))


def lock(project: Workflow) -> dict:
    return yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    pytest.importorskip("dvc")
    folder = tmp_path_factory.mktemp("dvc") / "project"
    copy_workflow(folder)
    project = Workflow(folder)
    project.write_grid()
    project.git("init", "--quiet")
    project.dvc("repro")
    assert commands(project) == {"prepare": 1, "split": 4, "run": 8, "aggregate": 1, "report": 1}
    return project


def test_a_life_of_edits(project):
    assert "didn't change, skipping" in project.dvc("repro")
    assert commands(project) == {}

    # What decides no split makes none, though DVC sees the whole file change.
    run = {"federated_learning": {"rounds": 3}}
    project.write_grid(run=run)
    project.dvc("repro")
    assert commands(project) == {"run": 8, "aggregate": 1, "report": 1}
    project.write_grid()
    project.dvc("repro")
    project.calls()

    project.write_grid(partitions=["iid", "dirichlet-0.3"])
    project.dvc("repro")
    assert commands(project) == {"split": 2, "run": 4, "aggregate": 1, "report": 1}

    project.append("medfl/algorithms/fedprox.py", "\n# edited\n")
    project.dvc("repro")
    assert commands(project) == {"run": 4, "aggregate": 1, "report": 1}

    project.append("medfl/algorithms/moon.py", "\n# edited, and in no arm of the grid\n")
    project.dvc("repro")
    assert commands(project) == {}

    project.environment["FAKE_MEDFL_FAIL"] = "seed5"
    project.write_grid(partitions=["iid", "dirichlet-0.3"], seeds=[0, 1, 5])
    locked = lock(project)
    with pytest.raises(AssertionError, match="failed to reproduce 'benchmark'"):
        project.dvc("repro")
    assert lock(project)["split@phantom"] != locked["split@phantom"]
    assert lock(project)["benchmark"] == locked["benchmark"]
    assert commands(project) == {"split": 2, "run": 4}
    del project.environment["FAKE_MEDFL_FAIL"]
    project.dvc("repro")
    assert commands(project) == {"run": 4, "aggregate": 1, "report": 1}
    # The fake counts every run in the folder: 12 of this grid, 4 of the alpha that was before.
    assert "16" in project.dvc("metrics", "show")
