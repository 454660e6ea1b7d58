"""Make noise as each kind of machine does. Values are in [0, 1], black to white."""

from __future__ import annotations

import torch
from torch import Tensor

from medfl.augment.draws import Draws
from medfl.augment.intensity import on_rows, per_sample
from medfl.augment.presets import Recipe

# Optical depth between black and white of a displayed radiograph: where it is white, e^−3 (a
# twentieth) of the photons pass that pass where it is black.
DEPTH = 3.0


def add_noise(images: Tensor, recipe: Recipe, draws: Draws) -> None:
    """Add the recipe's kind of noise to the chosen samples, in place."""
    rows = draws.chosen("noise", recipe.noise_probability)
    if not len(rows):
        return
    deviation = draws.unit("noise_size", rows) * recipe.noise
    generator = draws.generator("noise")
    kind = KINDS[recipe.noise_kind]
    on_rows(images, rows, lambda some: kind(some, per_sample(deviation, some), generator))


def normal(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal numbers for ``images``, on the CPU in single precision."""
    drawn = torch.randn(images.shape, generator=generator)
    return drawn.to(images.device, images.dtype, non_blocking=True)


def gaussian(images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Add electronic noise; that of reconstructed CT is so, too, to a first approximation."""
    return _unless_clipped(images, normal(images, generator).mul_(deviation))


def poisson(images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Add quantum noise of a radiograph: Poisson counts behind the display's logarithm.

    With N·e^(−kx) photons at the grey x the logarithm of their number has the deviation
    e^(kx/2)/√N (normal approximation, good from some ten photons). So there is most noise in what
    is dense and white. ``deviation`` is the one at mid-grey.
    """
    local = deviation * ((images - 0.5) * (DEPTH / 2)).exp_()
    return _unless_clipped(images, normal(images, generator).mul_(local))


def speckle(images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise in proportion to the signal: x·(1 + σn)."""
    return images * normal(images, generator).mul_(deviation).add_(1)


def rician(images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Add the noise of magnitude MRI: |x + σn₁ + iσn₂|. Gudbjartsson and Patz, MRM 1995."""
    real = normal(images, generator).mul_(deviation).add_(images)
    return torch.hypot(real, normal(images, generator).mul_(deviation))


def _unless_clipped(images: Tensor, noise: Tensor) -> Tensor:
    """Add noise except where the picture is black or white: the display was clipped there."""
    inside = (images > 0) & (images < 1)
    return noise.mul_(inside).add_(images)


KINDS = {"gaussian": gaussian, "poisson": poisson, "rician": rician, "speckle": speckle}
