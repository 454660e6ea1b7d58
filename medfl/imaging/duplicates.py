"""Image files that show the same picture, put into groups."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medfl.errors import MedflError
from medfl.files.processes import lost_file, map_isolated
from medfl.imaging.lookalikes import (
    ALIKE,
    Likeness,
    NearPairs,
    hash_thumbnail,
    near_pairs,
    perceptual_hash,
)
from medfl.imaging.picture_file import open_picture

SIDE = 64  # pixels: thumbnails that are correlated are squares of this side


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


def find_duplicates(files: Sequence[Path], likeness: Likeness = ALIKE) -> Duplicates:
    """Group image files by the picture they show; each file is decoded once, on all cores.

    A file that cannot be decoded is a group of its own: whoever decodes it for good says why.
    """
    prints = list(map_isolated(_fingerprint, files, "looking for duplicates", _lost))
    groups = np.arange(len(files))
    first: dict[str, int] = {}
    for row, (digest, _, _) in enumerate(prints):
        groups[row] = first.setdefault(digest or f"undecoded {row}", row)
    rows = np.array([row for row in first.values() if prints[row][0]], dtype=np.intp)
    exact = len(files) - len(first)
    hashes = np.array([prints[row][1] for row in rows], np.uint64)
    thumbs = np.array([prints[row][2] for row in rows], np.uint8).reshape(len(rows), SIDE * SIDE)
    merged = _union(len(rows), near_pairs(hashes, thumbs, likeness=likeness))
    of_row = dict(zip(rows.tolist(), rows[merged].tolist(), strict=True))
    groups = np.array([of_row.get(row, row) for row in groups.tolist()], dtype=np.intp)
    near = len(files) - len(set(groups.tolist())) - exact
    return Duplicates(groups, exact, near)


def _union(count: int, pairs: NearPairs) -> np.ndarray:
    """(count,) the smallest member of each one's connected set."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pairs.first):
        return np.arange(count)
    ends = (pairs.first, pairs.second)
    graph = coo_array((np.ones(len(pairs.first)), ends), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max() + 1, count)
    np.minimum.at(smallest, label, np.arange(count))
    merged: np.ndarray = smallest[label]
    return merged


def _fingerprint(path: Path) -> tuple[str, int, np.ndarray]:
    """SHA-256 of the grey pixels and their shape, the perceptual hash, a thumbnail (SIDE², u8)."""
    from PIL import Image

    try:
        with open_picture(path) as image:
            grey = image.convert("L")
    except (MedflError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return _undecoded()
    digest = hashlib.sha256(f"{grey.size}".encode() + grey.tobytes()).hexdigest()
    bits = perceptual_hash(hash_thumbnail(np.asarray(grey))[None])[0]
    thumb = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    return digest, int(bits), thumb


def _lost(path: Path, why: str) -> tuple[str, int, np.ndarray]:
    lost_file(path, why)  # which raises where memory has ended
    return _undecoded()


def _undecoded() -> tuple[str, int, np.ndarray]:
    return "", 0, np.zeros(0, np.uint8)
