"""Pixels that are none (NaN, infinite, too large), and pictures of which nothing can be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medfl.errors import Reason
from medfl.imaging.remarks import remark

NEARLY = 0.99
"""Share of a picture's pixels that counts as all of them."""

FEW, MANY = 20, 4
"""A picture is crushed where ``FEW`` levels or fewer are nearly all of it, and its file holds
``MANY`` times as many values. Eight bits that are taken for twelve are 17 levels."""


def as_float32(values: np.ndarray) -> np.ndarray:
    """Convert to float32; what is too large for it becomes infinite, without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(np.float32, copy=False)


def only_numbers(
    values: np.ndarray, valid: np.ndarray | None = None, colour: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Take pixels that are NaN, infinite or beyond float32 for padding, and remark how many.

    Args:
        values: (H, W) or (D, H, W); if ``colour``, (H, W, 3), whose pixel is none where one of its
            three numbers is none.
        valid: (H, W) or (D, H, W), False for padding; None where there is none.
        colour: whether the last axis is three channels.

    Returns:
        The values as float32, with the lowest number in the place of what is none; and which pixels
        are valid.

    Raises:
        Reason: no pixel is a number.
    """
    numbers = as_float32(values)
    if values.dtype.kind in "uib":
        return numbers, valid
    if values.dtype.itemsize > numbers.dtype.itemsize:  # 1e9 + 1 is 1e9 in float32
        remark_if_lost(values, [numbers])
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(numbers.sum()):  # many times as fast as to ask each pixel
            return numbers, valid
    finite = np.isfinite(numbers)
    if finite.all():  # their sum alone was too large
        return numbers, valid
    known = finite.all(axis=-1) if colour else finite
    count = int((~known).sum())
    if valid is not None:
        known = known & valid
    if not known.any():
        raise Reason("it holds no number: all its pixels are NaN or infinite")
    what = "voxels" if known.ndim == 3 else "pixels"
    remark([f"{count:,} {what} are not numbers (NaN or infinite): taken for padding"])
    return np.where(finite, numbers, numbers[known].min()), known


def remark_if_lost(
    values: np.ndarray,
    shades: Sequence[np.ndarray],
    stored: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    """Remark a picture of which next to nothing can be seen, although its file holds more.

    That is one value, or two, or a few that make up nearly all of it (``FEW``, ``NEARLY``): a black
    picture with a bright mark, a dark one of ten levels.

    Args:
        values: what the file holds.
        shades: what became of it, by channel.
        stored: rounds shades as the store does.
    """
    left, least = max(_few(shade, stored) for shade in shades)
    if left > FEW:
        return
    if least <= 2 and _few(values)[1] > least:
        kind = "one value is (a blank picture)" if least == 1 else "two values are"
        remark([f"{kind} left of its pixels, although its file holds more: look at its window"])
    elif least > 2 and left * MANY <= _few(values, limit=left * MANY)[0]:
        levels = "one level" if left == 1 else f"{left} levels"
        remark(
            [
                f"{NEARLY:.0%} of its pixels have become {levels}, although its file holds more: "
                "look at its window"
            ]
        )


def _few(
    values: np.ndarray,
    stored: Callable[[np.ndarray], np.ndarray] = np.asarray,
    limit: int = FEW,
) -> tuple[int, int]:
    """How many values make up ``NEARLY`` all pixels, and how many there are.

    Where there are more than ``limit``, either may be that of a sample of the pixels.
    """
    flat = values.reshape(-1)
    for part in (flat[:: max(1, flat.size // 1024)], flat):  # most pictures show it at once
        counts = np.sort(np.unique(stored(part), return_counts=True)[1])[::-1]
        nearly = int(np.searchsorted(np.cumsum(counts), NEARLY * counts.sum())) + 1
        if nearly > limit:
            break
    return nearly, len(counts)
