"""The sum of what units add to a gradient, each clipped to a norm. Abadi et al., Deep Learning with
Differential Privacy, CCS 2016, algorithm 1.

A unit is an image with its views, or a patient with all images: it adds the mean of its samples'
gradients, so that clipping bounds what the unit adds, however many samples it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medfl.chain.link import Backward
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients


def clipped_sum(
    sampler: SampleGradients,
    images: Tensor,
    labels: Tensor,
    units: Tensor,
    bound: float | None,
    limit: int,
    backward: Backward,
) -> tuple[list[Tensor], Tensor]:
    """Σ over units of g · min(1, C/‖g‖), g the mean of the unit's gradients.

    Args:
        sampler: takes the samples' gradients.
        images: (B, C, …).
        labels: (B, …).
        units: (B,), the number of each sample's unit, from 0 up, on the CPU.
        bound: C; None does not clip.
        limit: how many samples' gradients stand in memory at once; the sum is the same.
        backward: computes the mean loss of samples, and its gradient.

    Returns:
        The sum, (numel,) for each trained parameter, and the mean loss of the samples. A unit whose
        gradient is not finite adds nothing.
    """
    sum_of_units = _UnitSum(sampler.parameters, torch.bincount(units).tolist(), bound)
    loss = images.new_zeros(())
    for chosen in torch.argsort(units, stable=True).split(limit):
        here = chosen.to(images.device)
        gradients, value = sampler.of(images[here], labels[here], backward)
        loss = loss + value * (len(chosen) / len(units))
        sum_of_units.add(gradients, units[chosen])
    return sum_of_units.total, loss


class _UnitSum:
    """Takes in samples' gradients, ordered by unit, and adds each unit up once it is whole.

    Attributes:
        total: Σ over the units that are whole, (numel,) for each parameter.
    """

    def __init__(
        self, parameters: Sequence[Tensor], sizes: Sequence[int], bound: float | None
    ) -> None:
        self.total = [p.new_zeros(p.numel()) for p in parameters]
        self._sizes, self._bound = sizes, bound
        # Of the unit whose samples are not all there yet: their sum, and how many are missing.
        self._begun: list[Tensor] = []
        self._missing = 0

    def add(self, gradients: list[Tensor], units: Tensor) -> None:
        """Take in gradients (B, numel) of samples whose ``units`` (B,) ascend."""
        numbers, place, seen = torch.unique_consecutive(
            units, return_inverse=True, return_counts=True
        )
        sums = [_grouped(one, place, len(numbers)) for one in gradients]
        counts = [self._sizes[number] for number in numbers.tolist()]
        first, last = counts[0], counts[-1]
        if self._missing:
            for one, begun in zip(sums, self._begun, strict=True):
                one[0] += begun
            first = self._missing
        left = (first if len(counts) == 1 else last) - int(seen[-1])
        self._missing, self._begun = left, [one[-1].clone() for one in sums] if left else []
        whole = len(counts) - bool(left)
        if whole:
            self._add_whole([one[:whole] for one in sums], counts[:whole])

    def _add_whole(self, sums: list[Tensor], counts: list[int]) -> None:
        sizes = sums[0].new_tensor(counts)
        squares = sum(torch.linalg.vector_norm(one, dim=1).double().square() for one in sums)
        norms = torch.sqrt(torch.as_tensor(squares)) / sizes
        good = torch.isfinite(norms)
        if not bool(good.all()):  # min(1, C/NaN) is 1: they must not get so far
            sums = [one[good] for one in sums]
            norms, sizes = norms[good], sizes[good]
        factors = torch.ones_like(norms)
        if self._bound is not None:
            factors = (self._bound / norms).clamp(max=1.0)
        weights = (factors / sizes).to(sizes.dtype)
        for total, one in zip(self.total, sums, strict=True):
            total.add_(weights @ one)


def _grouped(gradients: Tensor, place: Tensor, groups: int) -> Tensor:
    """The sum of the gradients (B, k) of each group, (groups, k)."""
    if groups == len(gradients):
        return gradients
    sums = gradients.new_zeros(groups, gradients.shape[1])
    return sums.index_add_(0, place.to(gradients.device), gradients)
