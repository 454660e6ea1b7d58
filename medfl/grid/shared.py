"""Runs that partitions share: a model that trains on pooled samples does not see who holds them.

The folds depend on data and seed alone. So where a partition leaves images and folds as they are,
its pooled run is that of every other such partition. It lies once, as the run of the partition
``pooled``, and stands in the place of each of them in tables and plots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medfl.algorithms.registry import ALGORITHMS
from medfl.datasets.base import Dataset
from medfl.datasets.registry import parse_dataset
from medfl.grid import Cell, GridConfig
from medfl.partition import Partition, parse_partition
from medfl.partition.pooled import POOLED
from medfl.results import paths


def runs_of(grid: GridConfig) -> dict[Cell, Cell]:
    """Each cell of a grid → the run that stands there, which is another where it is shared."""
    return {cell: run_of(grid, cell) for cell in grid.cells()}


def holds(grid: GridConfig, run: Cell) -> bool:
    """Whether a run is a cell of a grid, or stands in one.

    It looks at no split but those of the cells in which the run may stand: each run of a large grid
    asks.
    """
    if run.dataset not in grid.datasets or run.arm not in grid.arms or run.seed not in grid.seeds:
        return False
    partitions = grid.partitions_of(run.dataset)
    if run.partition in partitions:
        return True
    places = (replace(run, partition=word) for word in partitions if run.partition == POOLED)
    return any(run_of(grid, cell) == run for cell in places)


def run_of(grid: GridConfig, cell: Cell) -> Cell:
    """The run that stands in a cell of a grid."""
    algorithm = ALGORITHMS.load(grid.arm_settings[cell.arm]["algorithm"])
    if not algorithm.pooled or not _leaves_all_as_it_is(grid, cell):
        return cell
    return replace(cell, partition=POOLED)


def _leaves_all_as_it_is(grid: GridConfig, cell: Cell) -> bool:
    """Whether a cell's partition has the images and folds of all, and as many steps are known."""
    partition = parse_partition(cell.partition)
    own = type(partition)
    if own.transform is not Partition.transform:  # it changes images
        return False
    if own.folds is not Partition.folds:
        return False
    dataset = type(parse_dataset(cell.dataset).dataset)
    if dataset.create_federated_splits is not Dataset.create_federated_splits:  # folds of its own
        return False
    if partition.natural and grid.counts_clients(cell):  # how many there are, the data say
        return False
    pooled = replace(cell, partition=POOLED)
    return not (grid.split(cell).given or grid.split(pooled).given)


def unused(trained: Mapping[Cell, Cell], results: str | Path) -> list[str]:
    """A line on runs that lie in a partition's own place, where a shared one stands now."""
    folders = [cell.folder(results) for cell, run in trained.items() if run != cell]
    left = [folder for folder in folders if (folder / paths.RECORD).exists()]
    if not left:
        return []
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return [
        f"{left[0]}{more}: not used any more, because partitions share the runs on pooled samples "
        f"under {left[0].parent.parent.parent / POOLED}; delete what you do not need"
    ]
