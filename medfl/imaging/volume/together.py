"""Bring the modalities of a sample into one frame: a voxel is one place in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from medfl.errors import MedflError
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import remark
from medfl.imaging.volume.canonical import voxel_sizes
from medfl.imaging.volume.slab import as_image, as_slab

SAME_GRID = 0.01
"""Voxels by which two grids may differ and are one: rounding in the files."""

REGISTER = "register them, or say `frames: ignore` if they are"


@dataclass(frozen=True)
class Placed:
    """An image or volume, and where it lies.

    Attributes:
        pixels: grey or colour, (H, W), (H, W, 3) or (D, H, W).
        affine: (4, 4) from the indices (d, h, w, 1), d = 0 for an image, to RAS+ mm; None where the
            file does not say.
        frame: names the world of the affine, as ``Volume`` does; empty where none is stated.
    """

    pixels: Pixels
    affine: np.ndarray | None = None
    frame: str = field(default="", repr=False)


def in_one_frame(
    parts: Sequence[Placed], names: Sequence[str], strict: bool
) -> tuple[list[Pixels], bool]:
    """Resample modalities to the grid of the first, and remark what was done.

    All that lie in one frame are resampled, linearly, to the voxels of the first one; where it
    reaches beyond their field there is padding. Without a frame, images or volumes of one size are
    taken for one grid, and images of several sizes for pictures of their own.

    Args:
        parts: the modalities of one sample, all images or all volumes.
        names: what they are called.
        strict: whether one index must be one place: then it is an error, and no remark, that
            volumes cannot be brought together, and a remark that images are not.

    Returns:
        The pixels of each, and whether one index is one place in all of them.

    Raises:
        MedflError: two state different frames of reference, or do not overlap; or volumes of
            several sizes state none.
    """
    first = parts[0]
    lone = [part.pixels for part in parts]
    frames = {part.frame for part in parts if part.affine is not None and part.frame}
    if len(frames) > 1:
        what = f"{_list(names)} lie in different frames of reference"
        return _apart(lone, f"{what}: {REGISTER}", strict)
    if frames and all(part.affine is not None and part.frame for part in parts):
        moved = [
            _onto(part, name, first, names[0])
            for part, name in zip(parts[1:], names[1:], strict=True)
        ]
        return [first.pixels, *moved], True
    shapes = [part.pixels.values.shape[: len(part.pixels.spacing)] for part in parts]
    if len(set(shapes)) == 1:
        if first.pixels.is_volume and not all(
            np.allclose(part.pixels.spacing, first.pixels.spacing, rtol=1e-3) for part in parts
        ):
            what = f"{_list(names)} have voxels of different sizes, and not all state a frame"
            return _apart(lone, f"{what}: {REGISTER}", strict)
        if any(part.affine is not None for part in parts):
            remark([f"not all of {_list(names)} state a frame: taken for one grid"])
        return lone, True
    sizes = ", ".join(dict.fromkeys("×".join(map(str, shape)) for shape in shapes))
    what = f"{_list(names)} differ in size ({sizes}), and not all state a frame"
    if first.pixels.is_volume:
        return _apart(lone, f"{what}: {REGISTER}", strict)
    if strict:  # pictures for a backbone each need not show one place
        remark([f"{what}: each is fitted by itself, so a pixel is not one place"])
    return lone, False


def _apart(lone: list[Pixels], what: str, strict: bool) -> tuple[list[Pixels], bool]:
    if strict:
        raise MedflError(f"{what}.")
    remark([what])
    return lone, False


def _onto(moving: Placed, name: str, first: Placed, reference: str) -> Pixels:
    """Resample to the first one's grid; pixels that lie on it already stay as they are."""
    from scipy import ndimage

    assert moving.affine is not None
    assert first.affine is not None
    pixels, target = as_slab(moving.pixels), as_slab(first.pixels)
    shape = target.values.shape
    step = np.linalg.inv(moving.affine) @ first.affine  # from its indices to the moving one's
    corners = np.array(np.meshgrid(*((0, side - 1) for side in shape), indexing="ij"))
    corners = corners.reshape(3, -1)
    moved = step[:3, :3] @ corners + step[:3, 3:]
    if pixels.values.shape == shape and np.abs(moved - corners).max() <= SAME_GRID:
        return moving.pixels
    # As in `resample`: axes that become coarser are smoothed, so that nothing aliases.
    smooth = np.maximum(0, (np.abs(step[:3, :3]).max(axis=1) - 1) / 2)
    smooth[np.array(pixels.values.shape) == 1] = 0
    values = pixels.values
    if smooth.any():
        values = ndimage.gaussian_filter(values, smooth, mode="nearest")
    values = ndimage.affine_transform(
        values, step[:3, :3], step[:3, 3], shape, np.float32, order=1, mode="nearest"
    )
    known = np.ones(pixels.values.shape, bool) if pixels.valid is None else pixels.valid
    valid = ndimage.affine_transform(
        known.astype(np.uint8), step[:3, :3], step[:3, 3], shape, order=0, mode="grid-constant"
    ).astype(bool)
    if not valid.any():
        raise MedflError(f"`{name}` shows no place that `{reference}` shows: {REGISTER}.")
    outside = f"; {1 - valid.mean():.0%} of it lie outside of its field" if not valid.all() else ""
    sizes = [_mm(part.affine) for part in (moving, first) if part.affine is not None]
    remark(
        [
            f"`{name}` was resampled to the grid of `{reference}` (linear; voxels of {sizes[0]} to "
            f"{sizes[1]} mm){outside}"
        ]
    )
    made = replace(
        pixels, values=values, valid=None if valid.all() else valid, spacing=target.spacing
    )
    return made if first.pixels.is_volume else as_image(made)


def _mm(affine: np.ndarray) -> str:
    return "×".join(f"{size:.3g}" for size in voxel_sizes(affine))


def _list(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
