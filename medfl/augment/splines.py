"""Make smooth fields: uniform cubic B-splines on a coarse grid of control points."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

INTERVALS = 4  # between the control points, along each side of an image
NODES = INTERVALS + 3


@lru_cache(maxsize=32)
def basis(size: int) -> Tensor:
    """Make (size, NODES) float64: each pixel's weights of the control points; rows sum to 1.

    Pixel centres lie at (i + ½)/size of the side. Rueckert et al., Nonrigid registration using
    free-form deformations, IEEE TMI 1999, eq. 1.
    """
    position = (torch.arange(size, dtype=torch.float64) + 0.5) / size * INTERVALS
    left = position.floor().long()
    u = position - left
    weights = torch.stack(
        [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], dim=1
    )
    matrix = torch.zeros(size, NODES, dtype=torch.float64)
    return matrix.scatter_(1, left[:, None] + torch.arange(4), weights / 6)


def smooth_field(nodes: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Make a field (…, *shape) of control points (…, NODES, NODES) or (…, NODES, NODES, NODES)."""
    field, axes = nodes, len(shape)
    for size in shape:
        matrix = basis(size).to(nodes.device, nodes.dtype, non_blocking=True)
        # The first axis that is still coarse goes last; after all of them the order is back.
        field = field.movedim(-axes, -1) @ matrix.T
    return field
