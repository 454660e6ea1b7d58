"""Lay out samples: a row for each class or site, its pictures chosen at random by a seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from medfl.card.measure import indicators
from medfl.card.pictures import pictures_of
from medfl.store import Store

MAX_ROWS = 24  # of more classes or sites than this, the largest are shown
SMALL_SIDE, LARGE_SIDE = 84, 160  # pixels to which pictures are enlarged, or reduced
GAP = 3
NO_LABEL = "(no label)"  # the row of images without any


@dataclass(frozen=True)
class Sheet:
    """Samples laid out.

    Attributes:
        pixels: (h, w, 3) uint8, the rows one under another.
        names: the rows' names.
        counts: how many images there are of which a row shows some.
        rows: the samples shown, a list for each row.
        left_out: how many classes or sites found no room.
    """

    pixels: np.ndarray
    names: list[str]
    counts: list[int]
    rows: list[list[int]]
    left_out: int


def class_sheet(
    store: Store, ends: np.ndarray, across: int, seed: int, without: Collection[str] = ()
) -> Sheet | None:
    """Lay out samples of each class that has any, in the dataset's order; None of none.

    ``without`` names the classes that are not shown.
    """
    of_class = indicators(store)
    members = [(name, np.flatnonzero(of_class[:, k])) for k, name in enumerate(store.info.classes)]
    if store.labels.ndim == 2:
        members.append((NO_LABEL, np.flatnonzero(~of_class.any(axis=1))))
    members = [one for one in members if one[0] not in without]
    return _sheet(store, ends, members, across, seed)


def site_sheet(
    store: Store, ends: np.ndarray, across: int, seed: int, without: Collection[str] = ()
) -> Sheet | None:
    """Lay out samples of each site but some, by name; None where there are not two in all."""
    names = np.unique(store.sites)
    if len(names) < 2:
        return None
    members = [(str(name), np.flatnonzero(store.sites == name)) for name in names]
    members = [one for one in members if one[0] not in without]
    return _sheet(store, ends, members, across, seed)


def side_by_side(store: Store, ends: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Put a few samples beside each other: (h, w, 3) uint8."""
    return _strip(store, ends, np.array(rows), len(rows))


def _sheet(
    store: Store,
    ends: np.ndarray,
    members: list[tuple[str, np.ndarray]],
    across: int,
    seed: int,
) -> Sheet | None:
    random = np.random.default_rng(seed)
    there = [(name, rows) for name, rows in members if len(rows)]
    if not there:
        return None
    if len(there) > MAX_ROWS:
        kept = {id(rows) for _, rows in sorted(there, key=lambda one: -len(one[1]))[:MAX_ROWS]}
        shown = [one for one in there if id(one[1]) in kept]
    else:
        shown = there
    chosen = [
        np.sort(random.choice(rows, min(across, len(rows)), replace=False)) for _, rows in shown
    ]
    widest = max(map(len, chosen))
    strips = [_strip(store, ends, rows, widest) for rows in chosen]
    return Sheet(
        np.concatenate(strips),
        [name for name, _ in shown],
        [len(rows) for _, rows in shown],
        [rows.tolist() for rows in chosen],
        len(there) - len(shown),
    )


def _strip(store: Store, ends: np.ndarray, rows: np.ndarray, places: int) -> np.ndarray:
    from PIL import Image

    tiles = []
    for picture in pictures_of(store, rows, ends):
        image = Image.fromarray(picture).convert("RGB")
        side = min(max(image.height, SMALL_SIDE), LARGE_SIDE)
        factor = side / image.height
        wanted = (max(1, round(image.width * factor)), side)
        # Enlarged without smoothing: what the model gets is what is shown.
        how = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BOX
        tiles.append(np.pad(np.asarray(image.resize(wanted, how)), ((0, GAP), (0, GAP), (0, 0)),
                            constant_values=255))  # fmt: skip
    tiles += [np.full_like(tiles[0], 255)] * (places - len(tiles))
    return np.concatenate(tiles, axis=1)
