"""Pictures that look alike: by a perceptual hash first, then by the correlation of thumbnails.

The hash keeps the low frequencies of the cosine transform, 64 bits, as package imagehash's phash
does. It is fast, but takes pictures for one that merely have the same layout; so the pixels of
small thumbnails must agree as well. On HAM10000 at 64 pixels, where several images show one lesion,
hashes alone (8 bits of 64) pair 190 images of one lesion and 4,044 of different lesions; with the
correlation of the thumbnails these are 110 and 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HASH_SIDE = 32  # pixels: a thumbnail that is hashed is a square of this side
LOWEST = 8  # frequencies of each axis that are kept
BLANK = 2.0  # standard deviation of a thumbnail's grey levels below which nothing is seen
MAX_PAIRS = 1_000_000
_ROWS, _COLUMNS = 64, 4096  # a block of hashes that stays in the processor's cache
_AT_ONCE = 8192  # pairs whose thumbnails are compared at once


@dataclass(frozen=True)
class Likeness:
    """From where on two pictures are near-duplicates: both must hold.

    Attributes:
        bits: how many of the hashes' 64 bits may differ.
        correlation: how well the thumbnails' pixels must agree (Pearson).
    """

    bits: int
    correlation: float


ALIKE = Likeness(bits=8, correlation=0.98)
"""What counts as a near-duplicate, wherever nothing else is said."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of near-duplicates, ``first < second``, in no particular order.

    Attributes:
        first: (P,) row of the one picture.
        second: (P,) row of the other.
        correlation: (P,) of their thumbnails.
        complete: false where there were more than ``MAX_PAIRS``.
    """

    first: np.ndarray
    second: np.ndarray
    correlation: np.ndarray
    complete: bool


def near_pairs(
    hashes: np.ndarray,
    thumbs: np.ndarray,
    same: np.ndarray | None = None,
    likeness: Likeness = ALIKE,
) -> NearPairs:
    """All pairs of near-duplicates among N pictures; blank ones are like nothing.

    All hashes are compared, block by block: exact however they cluster, and 112,120 of them take
    seconds.

    Args:
        hashes: (N,) uint64, of ``perceptual_hash``.
        thumbs: (N, …) grey levels of thumbnails, all of one size.
        same: (N, K) equal rows for pictures of equal pixels, which are no near-duplicates but
            one picture; None where no two are equal.
        likeness: what counts.
    """
    from tqdm import tqdm

    blank = is_blank(thumbs)
    found = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))]
    waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def confirm() -> None:
        first, second = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        waiting.clear()
        odd = blank[first] | blank[second]
        if same is not None:
            odd |= (same[first] == same[second]).all(axis=1)
        first, second = first[~odd], second[~odd]
        alike = _correlation(thumbs, first, second)
        keep = alike >= likeness.correlation
        found.append((first[keep], second[keep], alike[keep]))

    count = len(hashes)
    tops = range(0, count, _ROWS)
    for top in tqdm(tops, "comparing", file=sys.stderr, disable=count < 20_000, mininterval=0.5):
        waiting += _close(hashes, top, likeness.bits)
        if sum(len(first) for first, _ in waiting) >= _AT_ONCE or (waiting and top == tops[-1]):
            confirm()
        if sum(len(first) for first, *_ in found) > MAX_PAIRS:
            return _joined(found, complete=False)
    return _joined(found, complete=True)


def is_blank(thumbs: np.ndarray) -> np.ndarray:
    """Whether a thumbnail is nearly of one colour, (N,) bool: a picture of nothing."""
    flat = thumbs.reshape(len(thumbs), -1)
    return np.asarray(flat.std(axis=1) < BLANK)


def perceptual_hash(thumbs: np.ndarray) -> np.ndarray:
    """The pHash of (N, 32, 32) thumbnails as ``imagehash.phash`` defines it, (N,) uint64.

    Signs of the 8×8 lowest frequencies of the cosine transform against their median; the same
    bits as that library gives image by image, for all at once.
    """
    from scipy.fft import dctn

    hashes = np.empty(len(thumbs), dtype=np.uint64)
    for first in range(0, len(thumbs), 4096):
        part = thumbs[first : first + 4096].astype(np.float64)
        low = dctn(part, axes=(1, 2))[:, :LOWEST, :LOWEST].reshape(len(part), -1)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[first : first + 4096] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return hashes


def hash_thumbnail(picture: np.ndarray) -> np.ndarray:
    """What ``perceptual_hash`` takes of a grey picture, (H, W) uint8: (32, 32) uint8."""
    from PIL import Image

    size = (HASH_SIDE, HASH_SIDE)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _close(hashes: np.ndarray, top: int, bits: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs at most ``bits`` apart whose first is one of the ``_ROWS`` rows from ``top``."""
    rows = hashes[top : top + _ROWS]
    pairs = []
    for left in range(top, len(hashes), _COLUMNS):
        columns = hashes[left : left + _COLUMNS]
        close = np.bitwise_count(rows[:, None] ^ columns) <= bits
        if close.any():
            first, second = np.nonzero(close)
            ahead = first + top < second + left
            pairs.append((first[ahead] + top, second[ahead] + left))
    return pairs


def _joined(parts: Sequence[tuple[np.ndarray, ...]], complete: bool) -> NearPairs:
    first, second, alike = (np.concatenate(column) for column in zip(*parts, strict=True))
    return NearPairs(first, second, alike, complete)


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
    standard: np.ndarray = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return standard
