"""Find pairs of equal images and of look-alikes, and say which of them are a leak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medfl.card.measure import indicators
from medfl.card.scan import Scan
from medfl.imaging.lookalikes import is_blank, near_pairs
from medfl.store import FOLDS, Store

STAR = 100  # of more equal images than this, each is paired with the first only


@dataclass(frozen=True)
class Pairs:
    """Pairs of look-alikes, ``first < second``; equal pixels first, then the most alike.

    Attributes:
        first: (P,) row of the one image.
        second: (P,) row of the other.
        exact: (P,) bool, whether their pixels are equal.
        bits: (P,) how many bits of their perceptual hashes differ.
        correlation: (P,) how well their thumbnails correlate.
        blank: (N,) bool, images of one colour; they are in pairs only if their pixels are equal.
        complete: false where there were more pairs than are kept, or than were looked at.
    """

    first: np.ndarray
    second: np.ndarray
    exact: np.ndarray
    bits: np.ndarray
    correlation: np.ndarray
    blank: np.ndarray
    complete: bool

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class PairCounts:
    """How many pairs there are of a kind (``exact``, ``near``), and between what."""

    pairs: int
    images: int
    same_group: int
    other_group: int
    across_folds: int
    across_sites: int
    other_labels: int


def find_pairs(scan: Scan) -> Pairs:
    """Find all pairs of equal pixels, and of near-duplicates (``ALIKE``)."""
    first, second, whole = _equal(scan.digests)
    near = near_pairs(scan.hashes, scan.thumbs, scan.digests)
    order = np.argsort(-near.correlation, kind="stable")
    one = np.concatenate([first, near.first[order]])
    other = np.concatenate([second, near.second[order]])
    return Pairs(
        one,
        other,
        np.arange(len(one)) < len(first),
        np.bitwise_count(scan.hashes[one] ^ scan.hashes[other]),
        np.concatenate([np.ones(len(first)), near.correlation[order]]),
        is_blank(scan.thumbs),
        whole and near.complete,
    )


def relations(store: Store, pairs: Pairs) -> dict[str, np.ndarray]:
    """Say which pairs join different groups, folds, sites or labels: (P,) bool each."""
    one, other = pairs.first, pairs.second
    labels = indicators(store)
    known = (store.folds[one] != "") & (store.folds[other] != "")
    return {
        "other_group": store.groups[one] != store.groups[other],
        "across_folds": known & (store.folds[one] != store.folds[other]),
        "across_sites": store.sites[one] != store.sites[other],
        "other_labels": (labels[one] != labels[other]).any(axis=1),
    }


def count_pairs(pairs: Pairs, relation: dict[str, np.ndarray], chosen: np.ndarray) -> PairCounts:
    """Count the ``chosen`` (P,) pairs."""
    images = np.unique(np.concatenate([pairs.first[chosen], pairs.second[chosen]]))
    counts = {name: int((flag & chosen).sum()) for name, flag in relation.items()}
    total = int(chosen.sum())
    return PairCounts(total, len(images), same_group=total - counts["other_group"], **counts)


def copied_from_training(store: Store, pairs: Pairs) -> dict[str, int]:
    """Count the images of each other official fold that have a look-alike in ``train``."""
    found = {}
    ends = ((pairs.first, pairs.second), (pairs.second, pairs.first))
    for fold in FOLDS[1:]:
        rows = [
            here[(store.folds[here] == fold) & (store.folds[there] == "train")]
            for here, there in ends
        ]
        found[fold] = len(np.unique(np.concatenate(rows)))
    return found


def _equal(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Pair equal rows; false if a large set was paired with its first image only."""
    order = np.lexsort((np.arange(len(digests)), digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)])
    first, second, whole = [], [], True
    for members in np.split(order, starts[1:]):
        if len(members) > STAR:
            whole = False
            first.append(np.repeat(members[0], len(members) - 1))
            second.append(members[1:])
        elif len(members) > 1:
            i, j = np.triu_indices(len(members), 1)
            first.append(members[i])
            second.append(members[j])
    none = np.empty(0, dtype=np.intp)
    return np.concatenate([none, *first]), np.concatenate([none, *second]), whole
