"""Reads a params file, and checks the grid as a whole before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medfl.algorithms.precision import check_planned
from medfl.algorithms.registry import ALGORITHMS
from medfl.arms.comparable import check_private_arms
from medfl.arms.crossed import crossed_arms, not_defined
from medfl.arms.named import check_arm, check_unit, read_arms, with_group_words
from medfl.chain import check_chain
from medfl.config import FederatedConfig, did_you_mean, validate
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError, naming
from medfl.files import read_yaml
from medfl.grid.cell import Cell
from medfl.grid.doubles import canonical_partitions, check_arms, check_datasets
from medfl.grid.settings import GridConfig
from medfl.grid.sites import with_each_site
from medfl.models.registry import check_model
from medfl.partition.given import check_pattern
from medfl.report.plots.registry import FIGURES
from medfl.tuning.search import check_searches


def read_grid(
    path: str | Path, overrides: Mapping[str, Any] | None = None, one: bool = False
) -> GridConfig:
    """Read a params file and check all of it.

    Args:
        path: the file.
        overrides: what replaces keys, also inner ones.
        one: whether its runs are left unchecked: a start has checked them all, and this is the job
            of one of them, which asks ``check_run``. Large grids are read in a tenth of the time.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise MedflError(f"{path} must hold keys such as datasets, partitions, arms and seeds.")
    return load_grid(_merged(content, overrides or {}), str(path), one)


def check_run(grid: GridConfig, cell: Cell) -> FederatedConfig:
    """The configuration of a run, with its network and the links of its chain checked, too."""
    config, name = grid.run_config(cell), f"the run {cell}"
    check_model(config.model.name, config.model.params, name)
    check_chain(config, ALGORITHMS.load(config.federated_learning.algorithm), name)
    with naming(name):
        check_planned(config)
    return config


def _with_robust_arms(grid: GridConfig) -> GridConfig:
    """The grid with its arms crossed; those that are not defined for its clients are left out."""
    axes = grid.robustness
    if axes is None or axes.crossed:
        return grid
    arms, crossed = crossed_arms(axes, grid.arm_settings)
    for name, arm in arms.items():
        check_arm(name, arm)
    grid = grid.model_copy(update={"arms": list(arms), "arm_settings": arms})
    reasons = not_defined(grid)
    kept = {name: arm for name, arm in arms.items() if name not in reasons}
    made_of = {
        name: one.model_copy(update={"not_defined": reasons.get(name, "")})
        for name, one in crossed.items()
    }
    axes = axes.model_copy(update={"crossed": made_of})
    return grid.model_copy(update={"arms": [*kept], "arm_settings": kept, "robustness": axes})


def _partitions(grid: GridConfig) -> list[str] | dict[str, list[str]]:
    """The partitions of every dataset; by dataset where they are not the same."""
    if isinstance(grid.partitions, dict):
        for name in grid.partitions:
            if name not in grid.datasets:
                raise MedflError(
                    f"partitions names `{name}`, which is not in datasets"
                    + did_you_mean(name, grid.datasets)
                )
        for name in grid.datasets:
            if name not in grid.partitions:
                raise MedflError(f"partitions names none for `{name}`, which is in datasets.")
    found = {
        name: canonical_partitions(with_each_site(grid.partitions_of(name), name, grid.places))
        for name in grid.datasets
    }
    first = found[grid.datasets[0]]
    return first if all(words == first for words in found.values()) else found


def _merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merged(old, value)
        merged[key] = value
    return merged


def load_grid(content: Mapping[str, Any], where: str = "the grid", one: bool = False) -> GridConfig:
    """Check a grid as a whole: every name, hyper-parameter and setting, before anything runs.

    ``one`` as in ``read_grid``.
    """
    grid = validate(GridConfig, dict(content), where)
    with naming(where):
        for dataset in grid.datasets:
            spec = parse_dataset(dataset)
            if spec.word != dataset:  # a path cannot name the folders of the grid
                raise MedflError(
                    f"write `{spec.word}` for {dataset}, and put that file into params/datasets, "
                    "or its folder into MEDFL_DATASETS."
                )
        check_datasets(grid.datasets)
        grid = grid.model_copy(update={"partitions": _partitions(grid)})
        if grid.split_file:
            check_pattern(grid.split_file, grid.datasets, grid.every_partition)
        for figure in grid.figures or ():
            FIGURES.check_name(figure)
            if figure not in FIGURES:  # a built-in one needs no check, and would import matplotlib
                FIGURES.load(figure)
        with naming("arms_file"):
            shared = read_arms(grid.arms_file) if grid.arms_file else {}
    groups = {dataset: parse_dataset(dataset).dataset.group for dataset in grid.datasets}
    arms = with_group_words({**shared, **grid.arm_settings}, groups.values())
    for name in grid.arms:
        if name not in arms:
            if ":" in name:
                raise MedflError(
                    f"{where}: {name} is a class, and no arm: give it a name in "
                    f'{grid.arms_file or "arm_settings"}, such as `mine: {{algorithm: "{name}"}}`, '
                    "and write that name in arms."
                )
            raise MedflError(f"{where}: unknown arm `{name}`{did_you_mean(name, arms)}")
        own = name in grid.arm_settings or not grid.arms_file
        with naming(where if own else str(grid.arms_file)):
            check_arm(name, arms[name])
            for dataset, word in groups.items():
                check_unit(name, arms[name], dataset, word)
    for name in grid.dataset_settings:
        if name not in grid.datasets:
            raise MedflError(
                f"{where}: dataset_settings names `{name}`, which is not in datasets"
                + did_you_mean(name, grid.datasets)
            )
    chosen = {name: arms[name] for name in grid.arms}
    grid = grid.model_copy(update={"arm_settings": chosen})
    with naming(where):
        grid = _with_robust_arms(grid)
        if not one:
            firsts = [cell for cell in grid.cells() if cell.seed == grid.seeds[0]]
            runs = [check_run(grid, cell) for cell in firsts]
            check_arms(grid)
            check_private_arms(runs)
            check_searches(grid)
    return grid
