"""Duplicates: equal pixels, and look-alikes by perceptual hash; which of them are a leak."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medfl.card.measure import indicators
from medfl.card.scan import Scan
from medfl.store import FOLDS, Store

# Two measures must agree. On HAM10000 at 64 pixels, where several images show one lesion, hashes
# alone (8 bits of 64) pair 190 images of one lesion and 4,044 of different lesions; with the
# correlation of the thumbnails these are 110 and 1.
NEAR_BITS = 8
NEAR_CORRELATION = 0.98
BLANK = 2.0  # standard deviation of the thumbnail's grey levels below which nothing is seen
STAR = 100  # equal images above which each is paired with the first only
MAX_PAIRS = 1_000_000
_ROWS, _COLUMNS = 64, 4096  # a block of hashes that stays in the processor's cache
_AT_ONCE = 8192  # pairs whose thumbnails are compared at once


@dataclass(frozen=True)
class Pairs:
    """Pairs of look-alikes, ``first < second``; equal pixels first, then the most alike.

    Attributes:
        first: (P,) row of the one image.
        second: (P,) row of the other.
        exact: (P,) bool, equal pixels.
        bits: (P,) differing bits of the perceptual hashes.
        correlation: (P,) of the thumbnails.
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
    """All pairs of equal pixels, or within 8 bits of hash and a correlation of 0.98."""
    first, second, whole = _equal(scan.digests)
    blank = scan.thumbs.std(axis=(1, 2)) < BLANK
    near_first, near_second, alike, found_all = _near(scan, blank)
    order = np.argsort(-alike, kind="stable")
    one = np.concatenate([first, near_first[order]])
    other = np.concatenate([second, near_second[order]])
    return Pairs(
        one,
        other,
        np.arange(len(one)) < len(first),
        np.bitwise_count(scan.hashes[one] ^ scan.hashes[other]),
        np.concatenate([np.ones(len(first)), alike[order]]),
        blank,
        whole and found_all,
    )


def relations(store: Store, pairs: Pairs) -> dict[str, np.ndarray]:
    """For each pair, whether it joins different groups, folds, sites or labels: (P,) bool each."""
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
    """Counts over the ``chosen`` (P,) pairs."""
    images = np.unique(np.concatenate([pairs.first[chosen], pairs.second[chosen]]))
    counts = {name: int((flag & chosen).sum()) for name, flag in relation.items()}
    total = int(chosen.sum())
    return PairCounts(total, len(images), same_group=total - counts["other_group"], **counts)


def copied_from_training(store: Store, pairs: Pairs) -> dict[str, int]:
    """How many images of each official fold but ``train`` have a look-alike in ``train``."""
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
    """Pairs of equal rows; false if a large set was paired with its first image only."""
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


def _near(scan: Scan, blank: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Pairs that are alike by both measures but not equal, and their correlations.

    All hashes are compared, block by block: exact however they cluster, and 112,120 of them take
    seconds. False if there were more than ``MAX_PAIRS``.
    """
    from tqdm import tqdm

    found = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))]
    waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def confirm() -> None:
        first, second = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        waiting.clear()
        odd = blank[first] | blank[second]
        odd |= (scan.digests[first] == scan.digests[second]).all(axis=1)
        first, second = first[~odd], second[~odd]
        alike = _correlation(scan.thumbs, first, second)
        keep = alike >= NEAR_CORRELATION
        found.append((first[keep], second[keep], alike[keep]))

    count = len(scan.hashes)
    tops = range(0, count, _ROWS)
    for top in tqdm(tops, "comparing", file=sys.stderr, disable=count < 20_000, mininterval=0.5):
        waiting += _close(scan.hashes, top)
        if sum(len(first) for first, _ in waiting) >= _AT_ONCE or (waiting and top == tops[-1]):
            confirm()
        if sum(len(first) for first, *_ in found) > MAX_PAIRS:
            return (*_joined(found), False)
    return (*_joined(found), True)


def _close(hashes: np.ndarray, top: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs at most ``NEAR_BITS`` apart whose first is one of the ``_ROWS`` rows from ``top``."""
    rows = hashes[top : top + _ROWS]
    pairs = []
    for left in range(top, len(hashes), _COLUMNS):
        columns = hashes[left : left + _COLUMNS]
        close = np.bitwise_count(rows[:, None] ^ columns) <= NEAR_BITS
        if close.any():
            first, second = np.nonzero(close)
            ahead = first + top < second + left
            pairs.append((first[ahead] + top, second[ahead] + left))
    return pairs


def _joined(parts: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, alike = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, alike


def _correlation(thumbs: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation between the thumbnails of each pair: (P,)."""
    found = np.empty(len(first))
    step = 256  # thumbnails of so many pairs stay in the processor's cache
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        one, other = (_standard(thumbs[rows[part]]) for rows in (first, second))
        found[part] = np.einsum("ij,ij->i", one, other)
    return found


def _standard(thumbs: np.ndarray) -> np.ndarray:
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)
