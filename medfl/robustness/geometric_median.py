"""Geometric median by the smoothed Weiszfeld algorithm. Pillutla, Kakade and Harchaoui, Robust
Aggregation for Federated Learning, IEEE Transactions on Signal Processing 2022, algorithm 2.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import Field

from medfl.robustness.rule import RobustRule
from medfl.robustness.span import distances_to
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
STEPS = 10_000  # each takes n² operations


class GeometricMedian(RobustRule):
    """The point whose distances to all updates have the least sum, equal weights.

    Weiszfeld's steps start at the mean. Distances count as ``smoothing`` times the mean distance
    between two updates where they are less. The steps end where one is shorter than ``tolerance``
    times that mean distance.
    """

    class Params(RobustRule.Params):
        """smoothing: ν; tolerance: when it has converged; both relative."""

        smoothing: float = Field(1e-6, gt=0, lt=1)
        tolerance: float = Field(1e-9, gt=0, lt=1)

    effect = "no weighted mean of F_i: clients far from the others pull no more than near ones"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The geometric median (k,)."""
        squared = updates.squared_distances()
        return updates.combined(weiszfeld(squared, self.params.smoothing, self.params.tolerance))


def weiszfeld(squared: Tensor, smoothing: float, tolerance: float) -> Tensor:
    """Coefficients (n,) of the geometric median of n points, from their squared distances.

    The points themselves are not needed: all steps stay within their affine span.
    """
    import torch

    count = len(squared)
    at = torch.full((count,), 1 / count, dtype=torch.float64)
    scale = float(squared.sqrt().sum()) / max(1, count * (count - 1))
    if scale == 0.0:  # all points are one
        return at
    for _ in range(STEPS):
        pull = 1 / distances_to(squared, at).clamp(min=smoothing * scale)
        after = pull / pull.sum()
        step = after - at
        at = after
        if float(-(step @ squared @ step)) <= 2 * (tolerance * scale) ** 2:
            return at
    log.warning("the geometric median has not come to its tolerance in %d steps", STEPS)
    return at
