"""The uniform frame around an image: collimation, or the margin that software burnt in."""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.02  # of the range of the image: noise in a collimated margin
SMALLEST = 0.25  # of a side: less than this is no image in a frame


def content_box(values: np.ndarray, valid: np.ndarray | None = None) -> tuple[slice, slice]:
    """Rows and columns that remain when a frame of black or white is cut off.

    Rows and columns are taken from the outside in, as long as all but 1 % of their pixels are
    within 2 % of the darkest or of the brightest value. An image that is nearly all frame is left
    whole.

    Args:
        values: (H, W) grey or (H, W, 3) colour.
        valid: (H, W) bool; what is False counts as frame.
    """
    grey = values if values.ndim == 2 else values.mean(axis=2)
    inside = grey if valid is None else grey[valid]
    low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
    margin = TOLERANCE * (high - low)
    dark, bright = grey <= low + margin, grey >= high - margin
    if valid is not None:
        dark, bright = dark | ~valid, bright | ~valid
    top, bottom, left, right = 0, grey.shape[0], 0, grey.shape[1]

    def is_frame(row: slice | int, column: slice | int) -> bool:
        return bool(max(dark[row, column].mean(), bright[row, column].mean()) >= 0.99)

    moved = True
    while moved and top < bottom and left < right:
        before = (top, bottom, left, right)
        columns = slice(left, right)
        top += is_frame(top, columns)
        bottom -= bottom > top and is_frame(bottom - 1, columns)
        rows = slice(top, bottom)
        if top < bottom:
            left += is_frame(rows, left)
            right -= right > left and is_frame(rows, right - 1)
        moved = before != (top, bottom, left, right)
    height, width = grey.shape
    if bottom - top < SMALLEST * height or right - left < SMALLEST * width:
        return slice(0, height), slice(0, width)
    return slice(top, bottom), slice(left, right)
