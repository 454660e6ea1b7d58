"""Which counts of a split are not published, and its measurement without them.

Three tables of a split stand in several files: samples by client and fold, training samples by
client and class, and samples by class and fold. What is hidden depends on these counts alone, so
all runs on a split, and every file of each, hide the same cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.disclosure.cells import Mask, hide_in_line, hide_in_table, is_small, shown

FOLD_ORDER = ("train", "val", "test")
# Further counts of samples or patients in the measurement of a split.
COUNTED = ("samples", "groups", "moved", "divided_patients", "second_site")


@dataclass(frozen=True, eq=False)
class HiddenCells:
    """The cells of a split that are not published.

    Attributes:
        minimum: the smallest count that is.
        sizes: (M, 3) by client and fold: a client's samples there, its patients, and what is said
            of them.
        labels: (M, K) a client's training samples of a class.
        classes: (K, 3) all clients' samples of a class in a fold, and what is said of them.
        folds: (3,) all samples of a fold.
        tests: whether nothing is said of any test: all test samples are of hospitals never seen,
            who neither train nor validate, and they or their patients are few.
    """

    minimum: int
    sizes: Mask
    labels: Mask
    classes: Mask
    folds: Mask
    tests: bool = False

    def client(self, client: int, fold: str) -> bool:
        """Whether a client's number of samples in a fold is hidden."""
        return bool(self.sizes[client, FOLD_ORDER.index(fold)])

    @cached_property
    def trained(self) -> bool:
        """Whether some client's number of training samples is hidden."""
        return bool(self.sizes[:, FOLD_ORDER.index("train")].any())

    @cached_property
    def untested(self) -> frozenset[str]:
        """The clients, as words, of whose test samples nothing is said."""
        return frozenset(map(str, np.flatnonzero(self.sizes[:, FOLD_ORDER.index("test")])))


def hide_in_split(
    sizes: ArrayLike, patients: ArrayLike, labels: ArrayLike, minimum: int
) -> HiddenCells:
    """Choose what is hidden of a split.

    Args:
        sizes: (M, 3) samples by client and fold (train, val, test).
        patients: (M, 3) from how many patients they come.
        labels: (M, 3, K) samples by client, fold and class.
        minimum: the smallest number that may be published, of samples and of patients.
    """
    counts, people, classes = (np.asarray(one, np.float64) for one in (sizes, patients, labels))
    few = is_small(counts, minimum) | is_small(people, minimum)
    by_client = hide_in_table(counts, minimum, few)
    by_class = hide_in_table(classes.sum(axis=0).T, minimum)
    # A row adds up to its client's training samples, a column to all training samples of its class:
    # where such a sum is hidden, so are all cells that it has.
    sums = by_client[:, [0]] | by_class[:, 0][None, :]
    own = hide_in_table(classes[:, 0, :], minimum, hidden=sums)
    totals = hide_in_line(counts.sum(axis=0), minimum)
    tests = counts[:, FOLD_ORDER.index("test")] > 0
    never_seen = tests.any() and not counts[tests, : FOLD_ORDER.index("test")].any()
    of_tests = (one[:, FOLD_ORDER.index("test")].sum() for one in (counts, people))
    no_tests = never_seen and any(is_small(one, minimum) for one in of_tests)
    return HiddenCells(minimum, by_client, own, by_class, totals, bool(no_tests))


def published(measured: Mapping[str, Any], hidden: HiddenCells) -> dict[str, Any]:
    """How unlike a split's clients are (``medfl.partition.heterogeneity``), without hidden counts.

    A measure that hidden counts decide is left out with them, of one client and over all: of the
    few counts that are possible, one alone gives a mean to its last digit.
    """
    few = {name: _few(measured[name], hidden.minimum) for name in COUNTED if name in measured}
    found = {**measured, **few}
    if "clients" not in measured:
        return found
    rows = hidden.labels.any(axis=1)
    found["clients"] = [
        _client(one, hidden, number) for number, one in enumerate(measured["clients"])
    ]
    found["folds"] = {
        fold: None if gone else measured["folds"][fold]
        for fold, gone in zip(FOLD_ORDER, hidden.folds, strict=True)
    }
    if hidden.sizes[:, 0].any():
        found["sizes"] = dict.fromkeys(measured["sizes"])
    if rows.any():
        found["label_distance"] = _without(measured["label_distance"])
        found["effective_classes"] = _without(measured["effective_classes"])
    if hidden.classes[:, 0].any():
        found["effective_classes"] = found["effective_classes"] | {"pooled": None}
    return found


def _client(one: Mapping[str, Any], hidden: HiddenCells, number: int) -> dict[str, Any]:
    counts = {
        fold: None if gone else one[fold]
        for fold, gone in zip(FOLD_ORDER, hidden.sizes[number], strict=True)
    }
    gone = hidden.labels[number]
    classes = {
        name: None if out else count
        for (name, count), out in zip(one["classes"].items(), gone, strict=True)
    }
    measures = ("effective_classes", "label_distance") if gone.any() else ()
    return {**one, **counts, **dict.fromkeys(measures), "classes": classes}


def _few(value: Any, minimum: int) -> Any:
    """A count of samples or patients, or several by name; None where it is small."""
    if isinstance(value, dict):
        return {name: _few(one, minimum) for name, one in value.items()}
    return value if value is None else shown(value, minimum)


def _without(measure: Mapping[str, Any]) -> dict[str, Any]:
    """All clients' together, without what is over each: mean, least and most."""
    ends = ("min", "mean", "max")
    return {name: None if name.split("_")[-1] in ends else value for name, value in measure.items()}
