"""A bound that follows a quantile of the updates' norms. Andrew, Thakkar, McMahan and Ramaswamy,
Differentially Private Learning with Adaptive Clipping, NeurIPS 2021, algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from medfl.errors import MedflError
from medfl.privacy.hospital.settings import AdaptiveClipping

UNCLIPPED = "unclipped"
"""The part that says whether an update is within the bound: ½ if it is, −½ if it is not."""


@dataclass(frozen=True)
class AdaptiveBound:
    """How the bound moves, and how the noise is split between updates and the count.

    Attributes:
        params: the settings.
        noise: z, what both together amount to.
        expected: the hospitals that are expected in a round.

    Raises:
        MedflError: the noise on the count is so small that it alone spends more than z allows.
    """

    params: AdaptiveClipping
    noise: float
    expected: float

    def __post_init__(self) -> None:
        if self.noise and 2 * self.count_deviation <= self.noise:
            least = self.noise / (2 * self.expected)
            raise MedflError(
                f"dp_hospital: adaptive.bit_noise {self.params.bit_noise:g} of {self.expected:g} "
                f"hospitals is a noise of {self.count_deviation:.3g} on the number of unclipped "
                f"updates, which tells more than noise {self.noise:.3g} allows for all: set it "
                f"above {least:.3g}."
            )

    @property
    def count_deviation(self) -> float:
        """σ_b, the noise's deviation on the count; 0 where there is no noise at all."""
        return self.params.bit_noise * self.expected if self.noise else 0.0

    @property
    def update_noise(self) -> float:
        """z_Δ = (z⁻² − (2σ_b)⁻²)^−½: a hospital moves the count by ½ at most (theorem 1)."""
        if not self.noise:
            return 0.0
        return 1 / math.sqrt(self.noise**-2 - (2 * self.count_deviation) ** -2)

    def next(self, bound: float, count: float) -> float:
        """C ← C exp(−η_C (b − γ)) with b = ½ + count / m.

        ``count`` is the noised sum of ± ½ over the hospitals that were in the round.
        """
        share = 0.5 + count / self.expected
        return bound * math.exp(-self.params.learning_rate * (share - self.params.quantile))
