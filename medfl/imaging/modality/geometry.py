"""Cut, shrink and fit an image's own matrix to a square, or a volume's to a cube."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from medfl.imaging.images import Fit
from medfl.imaging.modality.colour import brightest, dimmest
from medfl.imaging.pixels import Pixels

# A margin's pixels may be off black or white by this part of the range (JPEG noise), and this part
# of a margin's line may be anything (a burnt-in letter).
TOLERANCE = 0.04
STRAYING = 0.02
# If less than this part of a side were left, the rest would be a speck, not an image in a frame.
SMALLEST = 0.25
# Blocks are averaged down to so many times the size that is asked for.
CLOSE = 2
# An image as good as square is not given a margin of a pixel or two.
SQUARE = 0.98


def cut(pixels: Pixels, box: tuple[slice, ...]) -> Pixels:
    """Keep a box, one slice for each axis of the image or volume."""
    valid = None if pixels.valid is None else np.ascontiguousarray(pixels.valid[box])
    values = np.ascontiguousarray(pixels.values[box])
    return replace(pixels, values=values, valid=valid, regions=())


def crop_borders(pixels: Pixels) -> Pixels:
    """Cut off what ``inner_box`` leaves out."""
    box = inner_box(pixels)
    return pixels if box is None else cut(pixels, box)


def inner_box(pixels: Pixels) -> tuple[slice, ...] | None:
    """Find what lies within margins that are all black or all white (slices, rows, columns).

    A collimator, a frame or a page leaves such margins, and one may lie within the other. Evenly
    lit skin is no margin. Black and white are the image's own extremes. The result is None, which
    means the whole image, if less than a quarter of a side would be left.
    """
    darkest, palest = brightest(pixels), dimmest(pixels)
    known = slice(None) if pixels.valid is None else pixels.valid
    if not darkest[known].size:
        return None
    low, high = float(darkest[known].min()), float(palest[known].max())
    if pixels.valid is not None:  # padding counts as black
        darkest, palest = (np.where(pixels.valid, v, np.float32(low)) for v in (darkest, palest))
    tolerance = TOLERANCE * (high - low)
    box = [slice(0, length) for length in darkest.shape]
    before: list[slice] = []
    while box != before:
        before = list(box)
        for axis in range(len(box)):
            margin = _nearly_all(darkest, box, axis, lambda line: line <= low + tolerance)
            margin |= _nearly_all(palest, box, axis, lambda line: line >= high - tolerance)
            lines = np.flatnonzero(~margin)
            if not lines.size:
                return None
            start = box[axis].start
            box[axis] = slice(start + int(lines[0]), start + int(lines[-1]) + 1)
            if box[axis].stop - box[axis].start < SMALLEST * darkest.shape[axis]:
                return None
    return tuple(box)


def _nearly_all(
    values: np.ndarray, box: list[slice], axis: int, holds: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Say for each line of the box along ``axis`` whether nearly all of its pixels pass a test.

    At most 256 pixels along each other axis are looked at; a radiograph has a million.
    """
    steps = [max(1, (part.stop - part.start) // 128) for part in box]
    steps[axis] = 1
    some = values[tuple(slice(p.start, p.stop, step) for p, step in zip(box, steps, strict=True))]
    lines = holds(np.moveaxis(some, axis, 0).reshape(some.shape[axis], -1))
    return lines.mean(axis=1, dtype=np.float32) >= 1 - STRAYING


@dataclass(frozen=True)
class Axis:
    """How one axis is resampled: from ``start`` to ``stop`` (pixels), to ``length`` of ``size``."""

    start: float
    stop: float
    length: int

    @property
    def ratio(self) -> float:
        """How many old pixels there are for each new one."""
        return (self.stop - self.start) / self.length


def plan(shape: tuple[int, ...], spacing: tuple[float, ...], size: int, fit: Fit) -> list[Axis]:
    """Plan how each axis is resampled: pixels come out as high as wide, except by ``stretch``."""
    extents = [count * step for count, step in zip(shape, spacing, strict=True)]
    axes = []
    for count, step, extent in zip(shape, spacing, extents, strict=True):
        if fit == "crop":
            half = min(extents) / step / 2
            axes.append(Axis(max(0.0, count / 2 - half), min(count, count / 2 + half), size))
        else:
            part = extent / max(extents)
            part = 1 if fit == "stretch" or part >= SQUARE else part
            axes.append(Axis(0, count, max(1, round(size * part))))
    return axes


def shrink(pixels: Pixels, size: int, fit: Fit) -> Pixels:
    """Average blocks of pixels, in volumes slice by slice, to no less than twice the resolution.

    All further steps then cost a fraction. Padding does not enter the averages.
    """
    shape = pixels.values.shape[: len(pixels.spacing)]
    axes = plan(shape, pixels.spacing, size, fit)[-2:]
    factor = int(min(axis.ratio for axis in axes) / CLOSE)
    if factor < 2:
        return pixels
    spacing = (*pixels.spacing[:-2], *(step * factor for step in pixels.spacing[-2:]))
    if pixels.valid is None:
        return replace(pixels, values=_reduce(pixels, pixels.values, factor), spacing=spacing)
    known = pixels.valid.astype(np.float32)
    weight = _reduce(replace(pixels, values=known), known, factor)
    inside = pixels.values * (known[..., None] if pixels.is_colour else known)
    total = _reduce(pixels, inside, factor)
    share = weight[..., None] if pixels.is_colour else weight
    values = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return replace(pixels, values=values, spacing=spacing, valid=weight > 0)


def _reduce(pixels: Pixels, values: np.ndarray, factor: int) -> np.ndarray:
    from PIL import Image

    planes = _planes(values, pixels.is_colour and values.ndim == 3)
    reduced = [np.asarray(Image.fromarray(plane).reduce(factor)) for plane in planes]
    if values.ndim == 2:
        return reduced[0]
    return np.stack(reduced, axis=-1 if pixels.is_colour else 0)


def _planes(values: np.ndarray, last: bool) -> list[np.ndarray]:
    if values.ndim == 2:
        return [values]
    return [
        np.ascontiguousarray(plane) for plane in (np.moveaxis(values, -1, 0) if last else values)
    ]


def fit_to(
    values: np.ndarray, spacing: tuple[float, ...], size: int | None, fit: Fit, margin: float
) -> np.ndarray:
    """Resample float32 (H, W) or (D, H, W) to ``size`` along each axis, averaging if it shrinks.

    Pillow's bilinear filter, widened by the scale, goes over one axis after the other. Without a
    size the matrix stays, unless pixels are more than 1 % higher than wide, or wider than high.

    Args:
        values: one channel.
        spacing: the distance between its pixels or voxels.
        size: the result's side in pixels.
        fit: ``pad`` keeps all, with margins; ``crop`` the centre; ``stretch`` distorts.
        margin: the value of the margins.
    """
    if size is None:
        unit = min(spacing)
        axes = [
            Axis(0, count, round(count * step / unit) if step > 1.01 * unit else count)
            for count, step in zip(values.shape, spacing, strict=True)
        ]
    else:
        axes = plan(values.shape, spacing, size, fit)
    inner = _resample(values, axes[-2:])
    if values.ndim == 3:
        depth, rows, columns = inner.shape
        flat = inner.reshape(depth, rows * columns)
        inner = _resample(flat, [axes[0], Axis(0, rows * columns, rows * columns)])
        inner = inner.reshape(-1, rows, columns)
    if size is None or inner.shape == (size,) * inner.ndim:
        return inner
    whole = np.full((size,) * inner.ndim, margin, np.float32)
    place = tuple(slice((size - n) // 2, (size - n) // 2 + n) for n in inner.shape)
    whole[place] = inner
    return whole


def _resample(values: np.ndarray, axes: list[Axis]) -> np.ndarray:
    """Resample the last two axes of (H, W) or (D, H, W)."""
    from PIL import Image

    if values.ndim == 3:
        return np.stack([_resample(plane, axes) for plane in values])
    rows, columns = axes
    box = (columns.start, rows.start, columns.stop, rows.stop)
    picture = Image.fromarray(np.ascontiguousarray(values))
    filters = Image.Resampling.BILINEAR
    return np.asarray(picture.resize((columns.length, rows.length), filters, box=box))
