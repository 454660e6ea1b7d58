"""The folders of ``docs/results`` are what ``medfl publish`` wrote, of grids that are here."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml

from medfl.algorithms.registry import ALGORITHMS
from medfl.grid import read_grid
from medfl.report.published import MARK

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(page.parent for page in (ROOT / "docs" / "results").glob("*/README.md"))
# Values as shipped: an attack should not have chosen them, nor its absence; nor four hospitals four
# times for 27 algorithms, which would take a day. They are long, and have three seeds.
UNTUNED = ("robustness", "unseen")
GRIDS = sorted((ROOT / "params" / "reference").glob("*.yaml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_as_it_was_written(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"\| \[[^]]+\]\(([^)]+)\) \| `([0-9a-f]{64})` \|", text))
    assert text.startswith(MARK)
    assert {path.name for path in folder.iterdir()} == {"README.md", *listed}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_grid_is_the_one_that_its_command_names(folder):
    now = read_grid(ROOT / "params" / "reference" / f"{folder.name}.yaml")
    then = yaml.safe_load((folder / "grid.yaml").read_text(encoding="utf-8"))
    for key in ("datasets", "partitions", "arms", "seeds", "run", "tune", "arm_settings"):
        assert now.model_dump(mode="json")[key] == then[key], key


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_reference_grids_have_seeds_enough_and_tune_every_arm_alike(path):
    grid = read_grid(path)
    assert len(grid.seeds) >= (3 if path.stem in UNTUNED else 6)
    assert grid.output_dir == f"results/reference/{path.stem}"
    if path.stem in UNTUNED:
        assert grid.tune is None
    else:
        assert grid.tune is not None
        assert grid.tune.points <= 4


def test_the_grid_of_attacks_has_seven_on_fedavg_and_three_on_scaffold():
    """Six rules stand; Krum after bucketing is there to be called not defined for 3 of 15."""
    grid = read_grid(ROOT / "params" / "reference" / "robustness.yaml")
    lost = [one for one in grid.crossed.values() if one.not_defined]
    assert {one.rule for one in lost} == {"krum-bucketing"}
    assert len(grid.arms) == 6 * (1 + 7) + 6 * (1 + 3)
    assert grid.num_clients == 15
    assert {one.attackers for one in grid.crossed.values()} == {0, 3}


def test_the_grid_of_hospitals_never_seen_has_every_algorithm():
    grid = read_grid(ROOT / "params" / "reference" / "unseen.yaml")
    assert {grid.arm_settings[arm]["algorithm"] for arm in grid.arms} == set(ALGORITHMS)
    assert len(grid.partitions) == 4
    assert all(word.startswith("leave-out-") for word in grid.partitions)
