"""How large the images were in their own files, over all and by site."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from medfl.imaging.source_size import COLUMN, SEPARATOR
from medfl.store import Store


@dataclass(frozen=True)
class Sizes:
    """Of some images.

    Attributes:
        images: how many state their size.
        distinct: different sizes.
        most: the most frequent one, as height x width (of volumes: slices x height x width).
        share: the part of the images that have it.
        smallest: of the shorter side in the image's plane, pixels.
        median: the same.
        largest: of the longer side, pixels.
    """

    images: int
    distinct: int
    most: str
    share: float
    smallest: int
    median: float
    largest: int


def source_sizes(store: Store) -> dict[str, Sizes]:
    """Sizes of all images (key ``""``), then of each site; empty where the store knows none."""
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
