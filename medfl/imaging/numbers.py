"""Pixels that are none (NaN, infinite, too large), and pictures of which nothing can be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medfl.errors import Reason
from medfl.imaging.remarks import remark


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
    """Remark a picture of which one value is left, or two, although its file holds more.

    Args:
        values: what the file holds.
        shades: what became of it, by channel.
        stored: rounds shades as the store does.
    """
    left = max(_few(shade, stored) for shade in shades)
    if left <= 2 and left < _few(values):
        kind = "one value is (a blank picture)" if left == 1 else "two values are"
        remark([f"{kind} left of its pixels, although its file holds more: look at its window"])


def _few(values: np.ndarray, stored: Callable[[np.ndarray], np.ndarray] = np.asarray) -> int:
    """How many different values there are: 1, 2, or 3 for more."""
    flat = values.reshape(-1)
    for part in (flat[:: max(1, flat.size // 1024)], flat):  # most pictures show it at once
        some = stored(part)
        low, high = some.min(), some.max()
        if ((some > low) & (some < high)).any():
            return 3
    return 1 if low == high else 2
