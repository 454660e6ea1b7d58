"""The sites of a grid's datasets, as far as they are known before anything is made.

A store knows them. Before it is made, an entry of the catalog names those of the published set, and
a description may leave no place for any. Where sites would come from a person's table or headers,
only preparing tells.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.datasets.base import Dataset, Places
from medfl.datasets.place import store_path
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.files.regular import regular
from medfl.partition import parse_partition
from medfl.partition.leave_out import LeaveOut, check_site
from medfl.partition.scheme import EACH_SITE
from medfl.partition.site_words import LEAVE_OUT
from medfl.store import DATASET
from medfl.store.store import SAMPLES

if TYPE_CHECKING:
    from medfl.grid import Cell, GridConfig


def known_sites(dataset: str, places: Places) -> list[str] | None:
    """The sites of a dataset in alphabetical order, '' where samples have none; None: unknown."""
    store = store_path(dataset, places.work_root)
    if (store / DATASET).is_file():
        table = store / SAMPLES
        status = table.stat() if table.is_file() else None
        return list(_in_table(table, status.st_mtime_ns, status.st_size)) if status else None
    found = parse_dataset(dataset).dataset.known_sites(places)
    return None if found is None else sorted(found)


@cache  # jobs that are forked from one process ask again and again
def _in_table(table: Path, changed: int, size: int) -> Sequence[str]:
    with open(table, newline="", encoding="utf-8-sig", opener=regular) as file:
        return sorted({row.get("site") or "" for row in csv.DictReader(file)})


def with_each_site(words: Sequence[str], dataset: str, places: Places) -> list[str]:
    """The words of a dataset's partitions, with ``leave-out-<site>`` for ``leave-one-out``.

    Raises:
        MedflError: its sites are not known yet, or there are less than two.
    """
    if EACH_SITE not in words:
        return list(words)
    sites = known_sites(dataset, places)
    if sites is None:
        raise MedflError(
            f"partition `{EACH_SITE}`: the sites of {dataset} are known once it is prepared: "
            f"`medfl prepare {dataset}` comes first; or write each as `{LEAVE_OUT}-<site>`."
        )
    if reason := _lacks(sites):
        raise MedflError(f"{dataset} {reason}, so it has no partition `{EACH_SITE}`.")
    each = [f"{LEAVE_OUT}-{site}" for site in sites]
    place = list(words).index(EACH_SITE)
    return [*words[:place], *each, *words[place + 1 :]]


def check_sites(grid: GridConfig) -> None:
    """Refuse partitions by site of datasets that are known not to have them.

    A person's own split, or one that a dataset's own class makes, needs none.

    Raises:
        MedflError: one needs sites, or a site, that its dataset lacks.
    """
    for cell in grid.cells():
        first = (cell.arm, cell.seed) == (grid.arms[0], grid.seeds[0])
        if first and parse_partition(cell.partition).by_site and not _deals_itself(grid, cell):
            _check(cell, known_sites(cell.dataset, grid.places))


def _deals_itself(grid: GridConfig, cell: Cell) -> bool:
    kind = type(parse_dataset(cell.dataset).dataset)
    own = kind.create_federated_splits is not Dataset.create_federated_splits
    return own or grid.split(cell).given


def _check(cell: Cell, sites: list[str] | None) -> None:
    if sites is None:
        return
    partition = parse_partition(cell.partition)
    if reason := _lacks(sites):
        raise MedflError(
            f"{cell.dataset} {reason}, so it has no partition `{partition.word}`: leave that out, "
            "or give each dataset partitions of its own (`partitions: {<dataset>: […]}`)."
        )
    if isinstance(partition, LeaveOut):
        check_site(partition, sites, cell.dataset)


def _lacks(sites: Sequence[str]) -> str:
    """Why partitions by site cannot be, in words; empty where they can."""
    if not any(sites):
        return "names no sites"
    if "" in sites:
        return "has samples without a site"
    return f"has one site, `{sites[0]}`" if len(sites) == 1 else ""
