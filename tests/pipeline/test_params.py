"""The grids that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from medfl.algorithms.registry import ALGORITHMS
from medfl.arms.named import read_arms
from medfl.config import SplitConfig
from medfl.files import read_yaml
from medfl.grid import read_grid

ROOT = Path(__file__).resolve().parents[2]
GRIDS = sorted(path.name for path in (ROOT / "params").glob("*.yaml") if "algo" not in path.name)


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_is_valid_and_every_arm_takes_the_same_local_work(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    grid = read_grid(f"params/{name}")
    work = set()
    for cell in grid.cells():
        learning = grid.run_config(cell).federated_learning
        work.add((learning.rounds, learning.local_epochs, learning.local_steps))
    assert len(work) == 1


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_need_not_repeat_defaults(name):
    """DVC stops where a key that a stage names is not in the file: it names whole files only."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for params in (stages["split"]["do"]["params"], stages["benchmark"]["params"]):
        assert all(keys is None for named in params for keys in named.values())
    content = read_yaml(ROOT / "params" / name)
    for key, value in SplitConfig().model_dump().items():
        assert content.get(key, ...) != value, f"{key} is the default: leave it out"


def test_every_algorithm_has_an_arm():
    arms = read_arms(ROOT / "params/algorithms.yaml")
    assert {arm["algorithm"] for arm in arms.values()} == set(ALGORITHMS)
    assert "scaffold-option1" in arms
