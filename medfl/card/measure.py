"""Count what a store's table says: classes, sites, folds, groups, labels that go together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from medfl.store import FOLDS, Store


@dataclass(frozen=True)
class Cross:
    """How many images there are by two things; an image counts once for each of its labels."""

    rows: list[str]
    columns: list[str]
    counts: list[list[int]]

    @property
    def array(self) -> np.ndarray:
        """(rows, columns) int64."""
        return np.array(self.counts, dtype=np.int64).reshape(len(self.rows), len(self.columns))


@dataclass(frozen=True)
class Share:
    """Images of a class, site, fold or modality: the name ('' where unknown) and how many."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class GroupCounts:
    """How images share patients or lesions.

    Attributes:
        groups: how many there are.
        several: how many have two images or more.
        largest: how many images the largest has.
        sizes: number of images → how many groups have so many.
        across_folds: how many have images in two official folds or more, which is a leak.
        across_sites: how many have images of two sites or more.
        mixed_labels: how many have images that do not all carry the same labels.
    """

    groups: int
    several: int
    largest: int
    sizes: dict[int, int]
    across_folds: int
    across_sites: int
    mixed_labels: int


@dataclass(frozen=True)
class LabelSets:
    """How many labels an image of a multi-label set has, and which go together.

    Attributes:
        empty: how many images have no label.
        per_image: number of labels → how many images have so many.
        together: (K, K) how many images carry both; the diagonal is the class itself.
    """

    empty: int
    per_image: dict[int, int]
    together: Cross


@dataclass(frozen=True)
class Guess:
    """How far a site alone gives the class away.

    Attributes:
        overall: share of images that always guessing the most frequent class gets right.
        by_site: share that guessing the most frequent class of each image's site gets right.
    """

    overall: float
    by_site: float


def indicators(store: Store) -> np.ndarray:
    """Say which classes each image has: (N, K) uint8."""
    if store.labels.ndim == 2:
        return store.labels
    return np.eye(len(store.info.classes), dtype=np.uint8)[store.labels]


def classes(store: Store) -> list[Share]:
    """Count the images of each class, in the dataset's order, also of those without any."""
    counts = indicators(store).sum(axis=0, dtype=np.int64)
    return [
        Share(name, int(count), int(count) / len(store))
        for name, count in zip(store.info.classes, counts, strict=True)
    ]


def parts(values: np.ndarray) -> list[Share]:
    """Count images by value of a column, the most frequent first, then by name."""
    names, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [Share(str(names[k]), int(counts[k]), int(counts[k]) / len(values)) for k in order]


def cross(store: Store, values: np.ndarray, columns: list[str]) -> Cross:
    """Count images by class and by the value of a column, in the order of ``columns``."""
    place = {name: k for k, name in enumerate(columns)}
    distinct, code = np.unique(values, return_inverse=True)
    of_class = indicators(store).astype(np.int64)
    counts = np.zeros((len(distinct), of_class.shape[1]), dtype=np.int64)
    np.add.at(counts, code, of_class)
    table = np.zeros((len(columns), of_class.shape[1]), dtype=np.int64)
    for name, row in zip(distinct, counts, strict=True):
        table[place[str(name)]] = row
    return Cross(list(store.info.classes), columns, table.T.tolist())


def by_site(store: Store) -> Cross:
    """Count images by class and site, the largest site first."""
    return cross(store, store.sites, [part.name for part in parts(store.sites)])


def by_fold(store: Store) -> Cross:
    """Count images by class and official fold: train, val, test, unknown, if there are any."""
    present = set(store.folds.tolist())
    return cross(store, store.folds, [fold for fold in (*FOLDS, "") if fold in present])


def groups(store: Store) -> GroupCounts:
    """Count how images share patients or lesions."""
    _, code, sizes = np.unique(store.groups, return_inverse=True, return_counts=True)
    known = store.folds != ""
    label_sets = np.unique(indicators(store), axis=0, return_inverse=True)[1].reshape(-1)
    return GroupCounts(
        groups=len(sizes),
        several=int((sizes > 1).sum()),
        largest=int(sizes.max()),
        sizes=dict(sorted(Counter(sizes.tolist()).items())),
        across_folds=_mixed(code[known], store.folds[known]),
        across_sites=_mixed(code, store.sites),
        mixed_labels=_mixed(code, label_sets),
    )


def label_sets(store: Store) -> LabelSets | None:
    """Count labels per image and labels that go together; None where each image has one class."""
    if store.info.task != "multilabel":
        return None
    labels = store.labels.astype(np.int64)
    names = list(store.info.classes)
    per_image = labels.sum(axis=1)
    return LabelSets(
        empty=int((per_image == 0).sum()),
        per_image=dict(sorted(Counter(per_image.tolist()).items())),
        together=Cross(names, names, (labels.T @ labels).tolist()),
    )


def guess(table: Cross) -> Guess:
    """Say how often a guess from the site alone is right, where each image has one class."""
    counts = table.array
    total = counts.sum()
    return Guess(float(counts.sum(axis=1).max() / total), float(counts.max(axis=0).sum() / total))


def _mixed(code: np.ndarray, values: np.ndarray) -> int:
    """Count the groups that have two different values or more."""
    value_code = np.unique(values, return_inverse=True)[1].reshape(-1)
    pairs = np.unique(np.stack([code, value_code]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum()) if pairs.size else 0
