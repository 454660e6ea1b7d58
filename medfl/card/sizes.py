"""Measure how large the images were in their own files, over all and by site."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from medfl.imaging.source_size import COLUMN, SEPARATOR
from medfl.store import Store


@dataclass(frozen=True)
class Sizes:
    """How large some images were.

    Attributes:
        images: how many state their size.
        distinct: how many different sizes there are.
        most: the most frequent size, height x width (for volumes slices x height x width).
        share: the part of the images that have it.
        smallest: smallest value of the shorter side in the image's plane, pixels.
        median: median of that side.
        largest: largest value of the longer side, pixels.
    """

    images: int
    distinct: int
    most: str
    share: float
    smallest: int
    median: float
    largest: int


def source_sizes(store: Store) -> dict[str, Sizes]:
    """Measure all images (key ``""``), then each site; empty where the store knows no size."""
    cells = store.attributes.get(COLUMN)
    if cells is None:
        return {}
    found = {"": _measure(cells)}
    sites = np.unique(store.sites).tolist()
    if len(sites) > 1:
        found |= {site or "unknown": _measure(cells[store.sites == site]) for site in sites}
    return {name: sizes for name, sizes in found.items() if sizes is not None}


def _measure(cells: np.ndarray) -> Sizes | None:
    counts = Counter(cell for cell in cells.tolist() if cell)
    if not counts:
        return None
    images = sum(counts.values())
    most, number = counts.most_common(1)[0]
    planes = {size: [int(side) for side in size.split(SEPARATOR)[-2:]] for size in counts}
    shorter = np.repeat([min(planes[size]) for size in counts], list(counts.values()))
    return Sizes(
        images=images,
        distinct=len(counts),
        most=most,
        share=number / images,
        smallest=int(shorter.min()),
        median=float(np.median(shorter)),
        largest=max(max(sides) for sides in planes.values()),
    )
