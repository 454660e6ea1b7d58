"""Krum and multi-Krum. Blanchard, El Mhamdi, Guerraoui and Stainer, Machine Learning with
Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017, sections 4 and 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.robustness.rule import RobustRule
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 1e-9
"""Scores that differ by a smaller part are equal: processors round their sums in other ways."""


class Krum(RobustRule):
    """The update that is nearest to its neighbours.

    Its score, the sum of the squared distances to its n − f − 2 nearest neighbours, is the least;
    of equal ones the first counts. Weights play no part.
    """

    least = (2, 2)
    least_word = "2f + 2 < n"
    effect = "no weighted mean of F_i: the model follows one client in each round"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The update (k,) of the least score."""
        return updates.combined(krum(updates.squared_distances(), f, 1))


class MultiKrum(RobustRule):
    """The mean of the m updates with the least scores of Krum, equal weights."""

    class Params(RobustRule.Params):
        """selected: m; null: n − f."""

        selected: int | None = Field(None, ge=1)

    least = (2, 2)
    least_word = "2f + 2 < n"
    effect = "no weighted mean of F_i: clients far from the others count nothing in a round"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The mean (k,) of the updates with the least scores."""
        selected = min(self.params.selected or len(updates) - f, len(updates))
        return updates.combined(krum(updates.squared_distances(), f, selected))


def krum_scores(squared: Tensor, f: int) -> Tensor:
    """Σ of the n − f − 2 least squared distances of each of n updates to the others, (n,)."""
    import math

    others = squared.clone().fill_diagonal_(math.inf)
    return others.sort(dim=1).values[:, : max(0, len(squared) - f - 2)].sum(dim=1)


def krum(squared: Tensor, f: int, selected: int) -> Tensor:
    """Coefficients (n,) of the mean of the ``selected`` updates with the least scores."""
    import torch

    chosen = least_first(krum_scores(squared, f))[:selected]
    return torch.zeros(len(squared), dtype=torch.float64).index_fill_(0, chosen, 1 / selected)


def least_first(scores: Tensor) -> Tensor:
    """The places (n,) of scores (n,), the least one first; of equal ones the first comes first.

    Equal scores are usual: two updates that are each other's nearest, or that mixing has made the
    same. Rounding must not choose among them, or two processors would train other models.
    """
    import torch

    ordered, places = scores.sort()
    larger = ordered.diff() > ROUNDING * ordered[1:]
    group = torch.cat((larger.new_zeros(1), larger)).cumsum(0)
    return places[(group * len(scores) + places).argsort()]
