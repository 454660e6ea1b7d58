"""Work out how large the voxels of prepared volumes are, where all have the same size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medfl.datasets.described.files import Found
from medfl.errors import MedflError
from medfl.imaging.kinds import kind_by_ending
from medfl.imaging.modality import Preprocess
from medfl.imaging.volume.canonical import voxel_sizes
from medfl.imaging.volume.nifti import open_nifti
from medfl.imaging.volume.stack import grid_of

if TYPE_CHECKING:
    from medfl.imaging.volume import Stack

SAME = 1e-3
"""Share by which two voxel sizes may differ: rounding in the files."""

Extent = tuple[float, ...] | None
"""Sides of a volume in mm; None for what is no volume, or where they are not known."""


def common_spacing(
    found: Found,
    names: Iterable[Sequence[str]],
    settings: Sequence[Preprocess],
    size: int,
    in_frame: bool = False,
) -> tuple[float, ...]:
    """Work out the sides of all voxels, mm; empty where volumes differ or are not known.

    Args:
        found: the files.
        names: the names of each sample's files.
        settings: how pixels are made, for each of a sample's files.
        size: voxels along a side of the result.
        in_frame: whether all files of a sample are resampled to the voxels of its first one.
    """
    if any(one.crop_borders or one.fit == "stretch" for one in settings):
        return ()
    voxels: set[float] = set()
    for files in names:
        for name, one in list(zip(files, settings, strict=True))[: 1 if in_frame else None]:
            try:
                sides = _extent(found, name)
            except MedflError:  # it is left out when it is read
                continue
            if sides is None:
                return ()
            voxels.add((min(sides) if one.fit == "crop" else max(sides)) / size)
            if max(voxels) - min(voxels) > SAME * max(voxels):
                return ()
    if not voxels:
        return ()
    return (round(float(np.mean(list(voxels))), 6),) * 3


def _extent(found: Found, name: str) -> Extent:
    if name in found.stacks:
        return _of_stack(found.stacks[name])
    if kind_by_ending(name) == "nifti":
        return _of_nifti(found.folder / name)
    return None


def _of_stack(stack: Stack) -> Extent:
    """Measure a stack as ``read_stack`` makes its grid."""
    places = np.array([item.place for item in stack.slices])
    step, grid = grid_of(places, [], stack.files[0])
    rows, columns = stack.slices[0].shape
    height, width = stack.slices[0].spacing
    return step * len(grid), rows * height, columns * width


def _of_nifti(path: Path) -> Extent:
    nifti = open_nifti(path)
    sizes = voxel_sizes(nifti.affine)
    return None if nifti.is_flat else tuple(map(mul, nifti.shape, sizes))
