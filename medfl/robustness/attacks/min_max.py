"""Attackers who stay as near to the honest updates as these are to each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from medfl.chain.message import Message
from medfl.registry import HyperParams
from medfl.robustness.attacks.knowing import KnowingAttack, mean, moved
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor


class MinMax(KnowingAttack):
    """μ + γ p as far from the honest updates as they are from each other, at most.

    Shejwalkar and Houmansadr, Manipulating the Byzantine, NDSS 2021, section V: the largest γ at
    which the distance to no honest update is above the largest between two of them. It is solved
    for, where the paper searches it.
    """

    class Params(HyperParams):
        """direction: p: −σ entry by entry (``deviation``), −μ/‖μ‖ (``unit``), −sign μ."""

        direction: Literal["deviation", "unit", "sign"] = "deviation"

    effect = "attackers send an update as far from the others as these are from each other"

    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The mean, moved by γ."""
        middle = mean(honest)
        way = self._direction(honest, middle)
        # ‖μ + γp − u_i‖² = a_i + 2γb_i + γ²c, by two more rows: μ, and μ + p.
        both = honest.joined(honest.origin + middle).joined(honest.origin + middle + way)
        squared, count = both.squared_distances(), len(honest)
        a, c = squared[count, :count], float(squared[count, count + 1])
        b = (squared[count + 1, :count] - a - c) / 2
        if c == 0.0:
            return middle
        return middle + way * self.largest(squared[:count, :count], a, b, c)

    def largest(self, squared: Tensor, a: Tensor, b: Tensor, c: float) -> float:
        """γ: the least of the larger roots of a_i + 2γb_i + γ²c = max ‖u_j − u_k‖²."""
        roots = (-b + (b.square() + c * (squared.max() - a)).clamp(min=0).sqrt()) / c
        return float(roots.min())

    def _direction(self, honest: Updates, middle: Tensor) -> Tensor:
        import torch

        if self.params.direction == "sign":
            return -middle.sign()
        if self.params.direction == "unit":
            length = torch.linalg.vector_norm(middle)
            return -middle / length if length > 0 else -middle
        return moved(honest, 1.0, "minus") - middle


class MinSum(MinMax):
    """As min-max, with the sum of the squared distances to all honest updates.

    Section V of the same paper: it is at most the largest such sum of an honest update.
    """

    effect = "attackers send an update whose distances to the others have no larger sum than theirs"

    def largest(self, squared: Tensor, a: Tensor, b: Tensor, c: float) -> float:
        """γ: the larger root of Σ(a_i + 2γb_i + γ²c) = max_j Σ_i ‖u_i − u_j‖²; Σ b_i is 0."""
        room = float(squared.sum(dim=1).max() - a.sum())
        return math.sqrt(max(0.0, room) / (len(a) * c))
