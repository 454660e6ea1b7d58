"""Bring stored pixels to [0, 1], in which transforms work, and back."""

from __future__ import annotations

import torch
from torch import Tensor

Range = tuple[float | Tensor, float | Tensor]


def to_unit(images: Tensor, dtype: torch.dtype) -> Range:
    """Bring pixel values (B, C, …) to [0, 1], in place.

    8 bits have the range 0 to 255. 16 bits hold a scanner's own units (Hounsfield units, say), of
    which an image fills a small part: there the range is each image's own, so that its darkest
    value is black.

    Args:
        images: floating-point pixel values.
        dtype: what they are stored as.

    Returns:
        (lowest, span), for ``from_unit``.
    """
    if dtype == torch.uint8:
        images.mul_(1 / 255)
        return 0.0, 255.0
    axes = tuple(range(1, images.ndim))
    low = images.amin(axes, keepdim=True)
    span = images.amax(axes, keepdim=True) - low
    span = torch.where(span > 0, span, torch.ones_like(span))
    images.sub_(low).div_(span)
    return low, span


def from_unit(images: Tensor, units: Range) -> Tensor:
    """Bring the same values back to stored units, in place."""
    low, span = units
    images.mul_(span)
    return images if isinstance(low, float) else images.add_(low)
