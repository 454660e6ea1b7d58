"""What a start of a grid fixes for its jobs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest
import yaml

from medfl.commands.options import grid_cell
from medfl.errors import MedflError
from medfl.grid import Cell, load_grid, read_grid
from medfl.pipeline.fixed import check_code, fix
from medfl.versions import code_of

OWN = """
from medfl.algorithms.fedavg import FedAvg

class Mine(FedAvg):
    pass
"""
GRID = {
    "arms_file": None,
    "arm_settings": {
        "mine": {"algorithm": "edited_meanwhile:Mine"},
        "plain": {"algorithm": "fedavg"},
    },
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["mine", "plain"],
    "seeds": [0, 1],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "edited_meanwhile.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("edited_meanwhile", None)


def test_code_that_was_edited_meanwhile_is_refused(folder):
    grid = load_grid(GRID)
    file = fix(grid)
    mine, plain = (Cell("phantom", "iid", arm, 1) for arm in ("mine", "plain"))
    check_code(file, mine, grid.run_config(mine))
    (folder / "edited_meanwhile.py").write_text(OWN + "# another rule\n")
    code_of.cache_clear()  # each job is a process of its own
    with pytest.raises(
        MedflError, match="the code of arm `mine` was edited while its grid was run"
    ):
        check_code(file, mine, grid.run_config(mine))
    check_code(file, plain, grid.run_config(plain))
    assert fix(grid) != file
    (folder / "edited_meanwhile.py").write_text(OWN)
    code_of.cache_clear()
    check_code(file, mine, grid.run_config(mine))
    assert fix(grid) == file


def test_a_grid_that_no_start_has_fixed_says_nothing_of_code(folder):
    grid = load_grid(GRID)
    for name in ("my.yaml", "grid.yaml"):
        Path(name).write_text(yaml.safe_dump(GRID))
        cell = Cell("phantom", "iid", "mine", 0)
        check_code(Path(name), cell, grid.run_config(cell))


def test_numbers_and_words_come_back_as_they_were(folder):
    changes = {
        "run": {
            "training": {"learning_rate": "1e-3", "weight_decay": 1e-5, "mixed_precision": "off"}
        },
        "output_dir": "Ergebnisse/Müller",
        "partitions": ["dirichlet-0.10", "pathological-2.0"],
    }
    grid = load_grid({**GRID, **changes})
    file = fix(grid)
    assert read_grid(file) == grid
    assert grid.partitions == ["dirichlet-0.1", "pathological-2"]
    assert len(json.loads(file.with_name("code.json").read_text())) == 4


def test_a_job_checks_its_own_run_and_no_other(folder):
    """All were checked when the grid was started, and a large one would be by each of its jobs."""
    file = fix(load_grid(GRID))
    content = yaml.safe_load(file.read_text())
    content["arm_settings"]["plain"]["chain"] = {"links": {"clip": {"norm": -1}}}
    file.write_text(yaml.safe_dump(content, sort_keys=False))

    def run(arm, grid=file):
        named = {"dataset": "phantom", "partition": "iid", "arm": arm, "seed": 0}
        return grid_cell(argparse.Namespace(grid=str(grid), **named))[1]

    assert run("mine") == Cell("phantom", "iid", "mine", 0)
    with pytest.raises(MedflError, match=r"the run phantom/iid/plain/seed0.*norm"):
        run("plain")
    loose = folder / "loose.yaml"  # that no start has fixed
    loose.write_text(file.read_text())
    with pytest.raises(MedflError, match=r"the run phantom/iid/plain/seed0.*norm"):
        run("mine", loose)
