"""A workflow that has run to its end, with the fake `medfl`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from workflows import Workflow, copy_workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the grid has run to its end, with the fake command."""
    pytest.importorskip("snakemake")
    folder = tmp_path_factory.mktemp("finished") / "project"
    copy_workflow(folder)
    workflow = Workflow(folder)
    workflow.write_grid()
    workflow.snakemake("--cores", "2", "--quiet", "all")
    assert len(workflow.calls()) == 1 + 4 + 8 + 2
    shutil.rmtree(folder / "bin")
    return folder


@pytest.fixture
def workflow(finished: Path, tmp_path: Path) -> Workflow:
    """A private copy of the finished folder; time stamps are kept."""
    folder = tmp_path / "project"
    subprocess.run(["cp", "-a", str(finished), str(folder)], check=True)
    return Workflow(folder)
