"""The random numbers of one batch, drawn on the CPU whatever the device.

One whole table, a row for each sample and a column for each parameter, is drawn for every batch. So
no transform moves another's numbers, and CPU and GPU see the same ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = (
    *("flip_horizontal", "flip_vertical", "flip_depth"),
    *("affine", "rotation", "tilt_y", "tilt_x", "scale", "shift_x", "shift_y", "shift_z", "shear"),
    *("elastic", "blur", "blur_size", "low_resolution", "low_resolution_size"),
    *("bias_field", "bias_field_size", "stain", "colour", "red", "green", "blue", "saturation"),
    *("tone", "brightness", "contrast", "gamma", "noise", "noise_size"),
    *("cutout", "cutout_size", "cutout_x", "cutout_y", "cutout_z"),
    *("mix", "mix_x", "mix_y", "mix_z"),
    *("seed_elastic", "seed_bias_field", "seed_stain", "seed_noise", "seed_mix"),
)
_INDEX = {name: k for k, name in enumerate(COLUMNS)}


class Draws:
    """Uniform numbers in [0, 1) for a batch of ``size`` samples."""

    def __init__(self, size: int, generator: torch.Generator) -> None:
        self.size = size
        self.table = torch.rand(size, len(COLUMNS), generator=generator, dtype=torch.float64)

    def chosen(self, name: str, probability: float) -> Tensor:
        """Rows, ascending, (k,) int64 on the CPU, to which ``name`` happens."""
        if probability <= 0:
            return torch.empty(0, dtype=torch.int64)
        return (self.table[:, _INDEX[name]] < probability).nonzero()[:, 0]

    def unit(self, name: str, rows: Tensor) -> Tensor:
        """(k,) float64 in [0, 1)."""
        return self.table[rows, _INDEX[name]]

    def either_way(self, name: str, rows: Tensor, limit: float) -> Tensor:
        """(k,) float64, uniform between −limit and limit."""
        return (2 * self.unit(name, rows) - 1) * limit

    def ratio(self, name: str, rows: Tensor, limit: float) -> Tensor:
        """(k,) float64 between 1/(1+limit) and 1+limit, its logarithm uniform."""
        return (1 + limit) ** (2 * self.unit(name, rows) - 1)

    def generator(self, purpose: str) -> torch.Generator:
        """A stream, seeded from the table, for a purpose that takes many numbers."""
        seed = int(float(self.table[0, _INDEX[f"seed_{purpose}"]]) * 2**53)
        return torch.Generator().manual_seed(seed)
