"""One slice by itself: an image that lies somewhere in a patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.imaging.pixels import Pixels
from medfl.imaging.volume.canonical import Volume, canonical, voxel_sizes
from medfl.imaging.volume.slices import slice_of
from medfl.imaging.volume.stack import plane_affine

if TYPE_CHECKING:
    from pydicom import Dataset

LARGEST = 1000.0
"""Thickness of a slice in mm beyond which a header is not believed."""

# Depth, rows and columns as radiologists show a slice across each axis: the front or the head on
# top, the patient's left, or back, on the right.
SHOWN = {"S": ("S", "P", "L"), "P": ("P", "I", "L"), "L": ("L", "I", "P")}


def upright(volume: Volume) -> Volume:
    """Turn a volume of one slice so that its depth is 1, and the slice stands as it is shown.

    Where the file states no frame, nobody knows how it stands: its second axis becomes the rows,
    and its first the columns, as programs that write pictures as NIfTI have them.
    """
    from nibabel import orientations

    thin = volume.pixels.values.shape.index(1)
    if volume.frame:
        codes = orientations.aff2axcodes(volume.affine, labels=(("L", "L"), ("P", "P"), ("S", "S")))
        return canonical(volume, SHOWN[codes[thin]])
    order = [thin, *(axis for axis in (2, 1, 0) if axis != thin)]
    affine = volume.affine[:, [*order, 3]]
    valid = volume.pixels.valid
    pixels = replace(
        volume.pixels,
        values=np.ascontiguousarray(volume.pixels.values.transpose(order)),
        valid=None if valid is None else np.ascontiguousarray(valid.transpose(order)),
        spacing=voxel_sizes(affine),
    )
    return replace(volume, pixels=pixels, affine=affine)


def as_image(pixels: Pixels) -> Pixels:
    """Make (H, W) of a volume of depth 1; anything else stays as it is."""
    if not pixels.is_volume or pixels.values.shape[0] > 1:
        return pixels
    valid = None if pixels.valid is None else pixels.valid[0]
    return replace(pixels, values=pixels.values[0], valid=valid, spacing=pixels.spacing[1:])


def as_slab(pixels: Pixels) -> Pixels:
    """Make a volume of depth 1 of (H, W); anything else stays as it is."""
    if pixels.is_volume:
        return pixels
    valid = None if pixels.valid is None else pixels.valid[None]
    return replace(pixels, values=pixels.values[None], valid=valid, spacing=(1.0, *pixels.spacing))


def slab_place(header: Dataset, path: Path) -> tuple[np.ndarray, str] | None:
    """Where a DICOM image lies, and the name of that world; None where its header does not say.

    Args:
        header: the frame's, as ``frame_header`` gives it.
        path: its file.

    Returns:
        The affine (4, 4) from (0, h, w, 1) to RAS+ mm, whose first column is as long as the slice
        is thick (1 mm where that is not stated); and FrameOfReferenceUID.
    """
    try:
        item = slice_of(header, path, 0)
        thick = float(header.get("SliceThickness") or 1)
    except (MedflError, ValueError, TypeError):
        return None
    return plane_affine(item, thick if 0 < thick < LARGEST else 1.0, item.position), item.frame
