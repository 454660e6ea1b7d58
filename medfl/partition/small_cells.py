"""The small cells of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.disclosure.split import HiddenCells, hide_in_split
from medfl.partition.folds import FOLDS
from medfl.partition.groups import label_indicator

MINIMUM_CELL = "minimum_cell"
"""Where the record beside a split says the smallest count that it publishes."""

if TYPE_CHECKING:
    from medfl.partition.split import Split
    from medfl.store import Store


def small_cells(split: Split, store: Store, minimum: int) -> HiddenCells | None:
    """What is not published of a split; None where nothing is held back.

    Args:
        split: who holds which sample.
        store: the data that it divides.
        minimum: the smallest count that may be published.
    """
    if minimum <= 1:
        return None
    labels, groups = label_indicator(store), np.asarray(store.groups)
    shape = (split.num_clients, len(FOLDS))
    classes = np.zeros((*shape, labels.shape[1]))
    people = np.zeros(shape)
    for client in range(split.num_clients):
        for place, fold in enumerate(FOLDS):
            rows = split.indices(client, fold)
            classes[client, place] = labels[rows].sum(axis=0)
            people[client, place] = len(np.unique(groups[rows]))
    return hide_in_split(split.counts(), people, classes, minimum)
