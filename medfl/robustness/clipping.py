"""Rules that shorten updates: centred clipping, and norm bounding.

Centred clipping: Karimireddy, He and Jaggi, Learning from History for Byzantine Robust
Optimization, ICML 2021, section 4. Norm bounding: Sun, Kairouz, Suresh and McMahan, Can You Really
Backdoor Federated Learning?, 2019, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from medfl.robustness.median import median
from medfl.robustness.rule import RobustRule
from medfl.robustness.span import distances_to
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

MOST_MOVES = 10**4  # each takes n² operations, in every part of every round


class CentredClipping(RobustRule):
    """v ← v + mean of (u_i − v) · min(1, τ/‖u_i − v‖), some times, equal weights."""

    class Params(RobustRule.Params):
        """radius: τ for every part; null: the median of the distances ‖u_i − v‖ at the start.

        steps: how often v moves in a round. start: where v begins: ``zero``, which is the model
            that was sent, the updates' ``mean`` or their coordinate-wise ``median``.
        """

        radius: float | None = Field(None, gt=0)
        steps: int = Field(3, ge=1, le=MOST_MOVES)
        start: Literal["zero", "mean", "median"] = "zero"

    effect = "no weighted mean of F_i: clients far from the others pull no more than near ones"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The last v, (k,)."""
        import torch

        rows = updates
        if self.params.start == "zero":
            rows = updates.joined(updates.origin)
        elif self.params.start == "median":
            rows = updates.joined(updates.origin + median(updates))
        count = len(updates)
        at = torch.zeros(len(rows), dtype=torch.float64)
        if len(rows) == count:
            at.fill_(1 / count)
        else:
            at[count] = 1.0
        squared, radius = rows.squared_distances(), self.params.radius
        for _ in range(self.params.steps):
            apart = distances_to(squared, at)[:count]
            radius = _middle(apart) if radius is None else radius
            part = shortening(apart, radius) / count
            at = at * (1 - part.sum())
            at[:count] += part
        return rows.combined(at)


class NormBounding(RobustRule):
    """The weighted mean of updates that are scaled to norm C where they are longer.

    It withstands updates that are long, and no others, however many there are.
    """

    class Params(RobustRule.Params):
        """bound: C for every part; null: the median norm of the round's updates in that part."""

        bound: float | None = Field(None, gt=0)

    least = (0, 0)
    least_word = "0 < n"
    effect = "clients whose update is longer than a bound count less than that"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The weighted mean (k,) of the bounded updates; of mixtures the equal mean."""
        import torch

        norms = updates.squared_norms().sqrt()
        bound = _middle(norms) if self.params.bound is None else self.params.bound
        weights = torch.tensor(updates.weights, dtype=torch.float64)
        if updates.mixing is not None:
            weights = torch.ones(len(updates), dtype=torch.float64)
        return updates.combined(shortening(norms, bound) * weights / weights.sum())


def shortening(lengths: Tensor, bound: float) -> Tensor:
    """min(1, bound/length) of each length, (n,); 1 for a length of zero."""
    import torch

    return torch.where(lengths > bound, bound / lengths, torch.ones_like(lengths))


def _middle(values: Tensor) -> float:
    return float(values.quantile(0.5))
