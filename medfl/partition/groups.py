"""Samples by group (patient, lesion): what a split may move, since a group is never cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.store import Store


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a store, in the order of their names.

    The columns are sorted by the *names* of the classes, so that the order in which a dataset lists
    them changes no split. A multi-label store has one more column, for samples without a label.

    Attributes:
        names: (G,) group names.
        of_sample: (N,) the group of each sample.
        columns: (K,) column names.
        counts: (G, K) samples of each group that carry each label.
        sizes: (G,) samples of each group.
        sites: (G,) the site of most of a group's samples (the first in the alphabet if tied).
        multilabel: whether a sample may carry several labels, or none.
    """

    names: np.ndarray
    of_sample: np.ndarray
    columns: tuple[str, ...]
    counts: np.ndarray
    sizes: np.ndarray
    sites: np.ndarray
    multilabel: bool

    @classmethod
    def of(cls, store: Store) -> Groups:
        """Gather a store's samples by group.

        Raises:
            MedflError: where a class has samples of one group only: it cannot be in the training
                and in the test fold.
        """
        names, of_sample = np.unique(np.asarray(store.groups), return_inverse=True)
        indicator = label_indicator(store)
        classes = store.info.classes
        order = np.argsort(np.asarray(classes))
        columns = [classes[c] for c in order]
        indicator = indicator[:, order]
        counts = _add_up(of_sample, indicator, len(names))
        _refuse_lone_classes(columns, counts)
        if store.info.task == "multilabel":
            columns.append("no label")
            empty = (indicator.sum(1) == 0)[:, None]
            counts = np.hstack([counts, _add_up(of_sample, empty, len(names))])
        places, of_place = np.unique(np.asarray(store.sites), return_inverse=True)
        votes = _add_up(of_sample, np.eye(len(places), dtype=np.int64)[of_place], len(names))
        return cls(
            names=names,
            of_sample=of_sample,
            columns=tuple(columns),
            counts=counts,
            sizes=np.bincount(of_sample, minlength=len(names)),
            sites=places[votes.argmax(1)],
            multilabel=store.info.task == "multilabel",
        )

    @cached_property
    def keys(self) -> np.ndarray:
        """(G,) the label that stands for a group.

        Multi-class: the label of most of its samples. Multi-label: the rarest label it carries (by
        groups), the one that iterative stratification deals it by. Ties go to the rarer label.
        """
        rarity = (self.counts > 0).sum(0)
        weight = (self.counts > 0).astype(np.int64) if self.multilabel else self.counts
        rank = np.empty(len(rarity), np.int64)
        rank[np.argsort(rarity, kind="stable")] = np.arange(len(rarity))
        return (weight * (len(rank) + 1) - rank * (weight > 0)).argmax(1)

    def __len__(self) -> int:
        return len(self.names)


def label_indicator(store: Store) -> np.ndarray:
    """(N, K) 0/1: which sample carries which class, for either task."""
    labels = np.asarray(store.labels)
    if labels.ndim == 2:
        return labels.astype(np.int64)
    return np.eye(len(store.info.classes), dtype=np.int64)[labels]


def _add_up(of_sample: np.ndarray, values: np.ndarray, num_groups: int) -> np.ndarray:
    total = np.zeros((num_groups, values.shape[1]), np.int64)
    np.add.at(total, of_sample, values.astype(np.int64))
    return total


def _refuse_lone_classes(columns: list[str], counts: np.ndarray) -> None:
    for column, name in enumerate(columns):
        if (counts[:, column] > 0).sum() == 1:
            samples = counts[:, column].sum()
            what = "one sample" if samples == 1 else f"{samples} samples, all of one group"
            raise MedflError(
                f"class `{name}` has only {what}: it cannot be in both the training and the test "
                "fold. Remove it from the dataset, merge it with another class, or add samples of "
                "other patients, and prepare the dataset again."
            )
