"""One frame for all volumes: which way the axes run, and how large a voxel is.

World coordinates are nibabel's and NIfTI's RAS+ in mm (x to the right, y to the front, z to the
head). The canonical order of a volume's axes is superior, posterior, left: depth rises to the
head, and ``values[z]`` is an axial slice as DICOM and radiologists show it, front on top and the
patient's left on the right.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import numpy as np

from medfl.errors import MedflError
from medfl.files.bounds import MOST
from medfl.imaging.pixels import Pixels

CANONICAL = ("S", "P", "L")
Spacing = float | tuple[float, float, float]


@dataclass(frozen=True)
class Volume:
    """A volume and where it lies.

    Attributes:
        pixels: (D, H, W) float32 in the modality's units, with the spacing of the axes in mm.
        affine: (4, 4) from the indices (d, h, w, 1) to RAS+ mm.
        notes: what was found and done on the way (missing slices, a tilted gantry …).
        files: what it was read from, in the order of the slices.
        frame: names the world of the affine, so that equal names mean one world: DICOM's frame of
            reference (an identifier, not to be written out), or NIfTI's ``scanner``, ``mni`` …;
            empty where none is stated.
    """

    pixels: Pixels
    affine: np.ndarray
    notes: list[str] = field(default_factory=list)
    files: tuple[Path, ...] = ()
    frame: str = field(default="", repr=False)


def voxel_sizes(affine: np.ndarray) -> tuple[float, float, float]:
    """Spacing along (d, h, w) in mm, which is the lengths of the affine's columns."""
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return float(sizes[0]), float(sizes[1]), float(sizes[2])


def canonical(volume: Volume, axes: tuple[str, str, str] = CANONICAL) -> Volume:
    """Swap and flip axes so that they run superior, posterior, left, as nearly as they can.

    No voxel is interpolated: an oblique volume stays oblique, and the affine says how it lies.
    """
    from nibabel import orientations

    affine = volume.affine
    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt(axes)
    )
    if np.array_equal(turn, [[0, 1], [1, 1], [2, 1]]):
        return volume
    pixels = volume.pixels
    values = np.ascontiguousarray(orientations.apply_orientation(pixels.values, turn))
    valid = pixels.valid
    if valid is not None:
        valid = np.ascontiguousarray(orientations.apply_orientation(valid, turn))
    affine = affine @ orientations.inv_ornt_aff(turn, pixels.values.shape)
    turned = replace(pixels, values=values, valid=valid, spacing=voxel_sizes(affine))
    return replace(volume, pixels=turned, affine=affine)


def resample(volume: Volume, spacing: Spacing) -> Volume:
    """Resample to ``spacing`` in mm, one number or (depth, height, width).

    Linear interpolation by SciPy, whose ``affine_transform`` gives exactly the spacing that is
    asked for (``zoom`` and PyTorch's ``interpolate`` take a size, and round the spacing to it).
    The new grid covers the old one from edge to edge, within half a voxel. Axes that become coarser
    are first smoothed by a Gaussian of (factor - 1) / 2 voxels, as scikit-image does, so that fine
    structure does not alias.

    Raises:
        MedflError: a spacing that is not positive, or makes too many voxels.
    """
    from scipy import ndimage

    target = np.broadcast_to(np.asarray(spacing, dtype=float), 3)
    if not (np.isfinite(target).all() and (target > 0).all()):
        raise MedflError(f"a volume's spacing must be positive mm; got {spacing}")
    pixels = volume.pixels
    factor = target / np.asarray(pixels.spacing)
    if np.allclose(factor, 1, atol=1e-6):
        return volume
    shape = tuple(int(n) for n in np.maximum(1, np.rint(np.array(pixels.values.shape) / factor)))
    if 4 * prod(shape) > MOST:  # by the voxels' size, which a file may state at will
        raise MedflError(
            f"at a spacing of {spacing} mm it would have {'×'.join(map(str, shape))} voxels, more "
            f"than {MOST / 1e9:.1f} GB: its voxels are that large, or the spacing is that small"
        )
    offset = 0.5 * factor - 0.5  # old index of the new first voxel's centre
    smooth = np.maximum(0, (factor - 1) / 2)
    values = pixels.values
    if smooth.any():
        values = ndimage.gaussian_filter(values, smooth, mode="nearest")
    values = ndimage.affine_transform(
        values, factor, offset, shape, np.float32, order=1, mode="nearest"
    )
    valid = pixels.valid
    if valid is not None:
        valid = ndimage.affine_transform(
            valid.astype(np.uint8), factor, offset, shape, order=0, mode="nearest"
        ).astype(bool)
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = np.diag(factor), offset
    affine = volume.affine @ step
    resampled = replace(pixels, values=values, valid=valid, spacing=voxel_sizes(affine))
    return replace(volume, pixels=resampled, affine=affine)


def finish(volume: Volume, spacing: Spacing | None, turn: bool) -> Volume:
    """Do the last steps of every reader: canonical axes, then the spacing that was asked for."""
    if turn:
        volume = canonical(volume)
    return volume if spacing is None else resample(volume, spacing)
