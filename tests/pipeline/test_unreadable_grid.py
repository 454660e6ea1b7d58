"""A grid that Snakemake itself cannot read: one sentence of medfl's. All else is as it was."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from workflows import Workflow, copy_workflow

GRID = "output_dir: results\ndatasets: [phantom]\npartitions: [iid]\narms: [fedavg]\nseeds: [0]\n"
NO_DAY = (
    "medfl: error: odd.yaml is not valid YAML: line 6, column 7: a value that cannot be built as "
    "what it is (in `note`). A text stands in quotes."
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    pytest.importorskip("snakemake")
    folder = tmp_path_factory.mktemp("unreadable")
    copy_workflow(folder)
    return Workflow(folder)


def told(checkout: Workflow, grid: bytes, *options: str) -> str:
    """What Snakemake says of a grid that it refuses."""
    (checkout.folder / "odd.yaml").write_bytes(grid)
    done = checkout.snakemake("-n", "--configfile", "odd.yaml", *options, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("options", [(), ("--quiet", "all"), ("--profile", "profiles/slurm")])
def test_a_day_that_there_is_not_is_one_sentence(checkout, options):
    assert told(checkout, (GRID + "note: 2024-02-30\n").encode(), *options) == NO_DAY


def test_what_medfl_refuses_as_well_is_said_in_its_words(checkout):
    is_no = "medfl: error: odd.yaml is not valid YAML: "
    tab = told(checkout, b"seeds:\n- 1\nnote: \tb: c\n")
    assert tab == f"{is_no}line 3, column 7: a tab where only spaces may stand."
    assert told(checkout, b"\xff\xfe\xfa") == f"{is_no}a text in it is not in its encoding."


def test_a_grid_that_can_be_read_but_is_wrong_is_snakemakes_to_tell(checkout):
    said = told(checkout, GRID.replace("fedavg", "fedavgg").encode())
    assert said.startswith("WorkflowError in file")
    assert "medfl: error: " in said


@pytest.fixture
def logged(monkeypatch):
    """What a handler shows of an error that Snakemake logs while it reads a configfile."""
    from snakemake.common.configfile import load_configfile
    from snakemake.exceptions import print_exception
    from snakemake.logging import logger
    from snakemake_interface_logger_plugins.tests import MockOutputSettings

    from snakemake_logger_plugin_medfl import LogHandler

    def log(path: Path) -> str:
        shown: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: shown.append(record.getMessage())  # type: ignore[method-assign]
        monkeypatch.setattr(logger, "filters", [])
        monkeypatch.setattr(logger, "handlers", [handler])
        LogHandler(MockOutputSettings(), None)
        try:
            load_configfile(path)
        except Exception as error:
            print_exception(error)
        return shown[-1]

    return log


def test_where_medfl_cannot_be_imported_snakemakes_own_message_stands(
    logged, tmp_path, monkeypatch
):
    path = tmp_path / "odd.yaml"
    path.write_text("note: 2024-02-30\n")
    assert logged(path) == (
        f"medfl: error: {path} is not valid YAML: line 1, column 7: a value that cannot be built "
        "as what it is (in `note`). A text stands in quotes."
    )
    monkeypatch.setitem(sys.modules, "medfl.files", None)
    assert "ValueError: day is out of range for month" in logged(path)


def test_what_only_snakemake_refuses_stays_as_it_says_it(logged, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("- a list\n")
    assert "keys at top level" in logged(path)
