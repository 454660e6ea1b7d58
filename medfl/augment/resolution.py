"""Blur and coarsen pictures: both are linear, so each sample needs a small matrix per axis."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from medfl.augment.draws import Draws
from medfl.augment.presets import Recipe


def soften(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Blur some samples and coarsen some, in place."""
    rows = draws.chosen("blur", recipe.blur_probability)
    if len(rows):
        deviation = draws.unit("blur_size", rows) * recipe.blur
        _apply(images, rows, [blurring(size, deviation) for size in images.shape[2:]])
    rows = draws.chosen("low_resolution", recipe.low_resolution_probability)
    if len(rows):
        factor = 1 + draws.unit("low_resolution_size", rows) * (recipe.low_resolution - 1)
        matrices = [
            torch.stack([coarsening(size, max(1, round(size / f))) for f in factor.tolist()])
            for size in images.shape[2:]
        ]
        _apply(images, rows, matrices)


def _apply(images: Tensor, rows: Tensor, matrices: list[Tensor]) -> None:
    on_device = rows.to(images.device, non_blocking=True)
    moved = [m.to(images.device, images.dtype, non_blocking=True) for m in matrices]
    images[on_device] = along_each_axis(images[on_device], moved)


def along_each_axis(images: Tensor, matrices: list[Tensor]) -> Tensor:
    """Multiply every line of every axis by its sample's matrix.

    Args:
        images: (k, C, …).
        matrices: (k, size, size), one for each axis after the first two.
    """
    result, axes = images, len(matrices)
    for matrix in matrices:
        lines = result.movedim(-axes, -1)
        shape = lines.shape
        result = (lines.reshape(len(lines), -1, shape[-1]) @ matrix.transpose(1, 2)).view(shape)
    return result


def blurring(size: int, deviation: Tensor) -> Tensor:
    """Make (k, size, size) float64: a Gaussian of each deviation (pixels), cut off at borders.

    Rows sum to 1 within the image, so that borders neither darken nor repeat.
    """
    distance = torch.arange(size, dtype=torch.float64)
    squares = (distance[:, None] - distance[None, :]) ** 2
    variance = deviation.clamp(min=1e-3)[:, None, None] ** 2  # anything smaller is the identity
    return torch.softmax(-squares / (2 * variance), dim=2)


@lru_cache(maxsize=256)
def coarsening(size: int, kept: int) -> Tensor:
    """Make (size, size) float64 that averages to ``kept`` pixels and interpolates back linearly."""
    rows = torch.eye(size, dtype=torch.float64)[None]
    small = interpolate(rows, size=kept, mode="area")
    return interpolate(small, size=size, mode="linear", align_corners=False)[0].T.contiguous()
