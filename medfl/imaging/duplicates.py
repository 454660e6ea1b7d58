"""Images that show the same picture: equal pixels, and near-equal ones by perceptual hash.

Perceptual hash: the low frequencies of the cosine transform, 64 bits, as package imagehash's phash.
Images of few differing bits are compared pixel by pixel as well, so that two pictures which merely
look alike to the hash are not taken for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medfl.files.parallel import map_ordered

MAX_BITS = 6  # of 64
MIN_CORRELATION = 0.9
SIDE = 64  # of the thumbnails that are correlated, pixels
HASH_SIDE = 32  # of the thumbnails that are hashed
LOWEST = 8  # frequencies of each axis that are kept


@dataclass(frozen=True)
class Duplicates:
    """What repeats among N images.

    Attributes:
        groups: (N,) the index of the first image that shows the same picture.
        exact: images beyond the first whose pixels are equal.
        near: images beyond the first that are in a group, but not of equal pixels.
    """

    groups: np.ndarray
    exact: int
    near: int


def find_duplicates(files: Sequence[Path]) -> Duplicates:
    """Group image files by the picture they show; each file is decoded once, on all cores.

    A file that cannot be decoded is a group of its own: whoever decodes it for good says why.
    """
    prints = list(map_ordered(_fingerprint, files, "looking for duplicates"))
    groups = np.arange(len(files))
    first: dict[str, int] = {}
    for row, (digest, _, _) in enumerate(prints):
        groups[row] = first.setdefault(digest or f"undecoded {row}", row)
    rows = np.array([row for row in first.values() if prints[row][0]], dtype=np.intp)
    exact = len(files) - len(first)
    hashes = np.array([prints[row][1] for row in rows], np.uint64)
    thumbs = np.array([prints[row][2] for row in rows], np.float32).reshape(len(rows), -1)
    pairs = near_pairs(hashes, thumbs)
    merged = _union(len(rows), pairs)
    of_row = dict(zip(rows.tolist(), rows[merged].tolist(), strict=True))
    groups = np.array([of_row.get(row, row) for row in groups.tolist()], dtype=np.intp)
    near = len(files) - len(set(groups.tolist())) - exact
    return Duplicates(groups, exact, near)


def near_pairs(hashes: np.ndarray, thumbs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of at most ``MAX_BITS`` differing bits and ``MIN_CORRELATION`` or more.

    Args:
        hashes: (N,) uint64.
        thumbs: (N, P) float32, the pixels of thumbnails; centred and scaled here.
    """
    thumbs = thumbs - thumbs.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(thumbs, axis=1)
    flat = norms < 1e-3 * SIDE  # one tone: alike to any hash, a picture of nothing
    thumbs = thumbs / np.maximum(norms, 1e-12)[:, None]
    pairs = []
    for row in range(len(hashes) - 1):
        later = np.bitwise_count(hashes[row + 1 :] ^ hashes[row])
        near = row + 1 + np.flatnonzero(later <= MAX_BITS)
        near = near[~flat[near]] if not flat[row] else near[:0]
        alike = near[thumbs[near] @ thumbs[row] >= MIN_CORRELATION]
        pairs += [(row, int(other)) for other in alike]
    return pairs


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


def _union(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """(count,) the smallest member of each one's connected set."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return np.arange(count)
    left, right = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (left, right)), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max() + 1, count)
    np.minimum.at(smallest, label, np.arange(count))
    merged: np.ndarray = smallest[label]
    return merged


def _fingerprint(path: Path) -> tuple[str, int, np.ndarray]:
    """SHA-256 of the grey pixels and their shape, the perceptual hash, a thumbnail (SIDE², u8)."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "", 0, np.zeros(0, np.uint8)
    digest = hashlib.sha256(f"{grey.size}".encode() + grey.tobytes()).hexdigest()
    bits = perceptual_hash(hash_thumbnail(np.asarray(grey))[None])[0]
    thumb = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    return digest, int(bits), thumb
