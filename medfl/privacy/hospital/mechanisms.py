"""What a hospital's ε is after so many noised sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from medfl.privacy.accounting import (
    epsilon_of,
    least_noise,
    most_steps,
    refuse_no_noise,
    skellam_epsilon,
)
from medfl.privacy.hospital.settings import HospitalParams


class NoisedSums(Protocol):
    """Sums of bounded updates with noise."""

    @property
    def accountant(self) -> str:
        """What computes ε, in words."""

    @property
    def noise(self) -> float:
        """z."""

    def epsilon(self, releases: int) -> float:
        """ε after so many sums; infinite without noise."""


@dataclass(frozen=True)
class GaussianSums:
    """Gaussian noise of deviation zC on each entry of a sum.

    Attributes:
        noise: z.
        params: the link's.
    """

    noise: float
    params: HospitalParams

    @property
    def accountant(self) -> str:
        """The exact formula where nobody is drawn at random."""
        exact = self.params.sampling_rate == 1.0
        return "the exact formula of Gaussian noise" if exact else self.params.accountant

    def epsilon(self, releases: int) -> float:
        """By the exact formula, or the accountant of Poisson samples."""
        given = self.params
        rate, delta = given.sampling_rate, given.target_delta
        return epsilon_of(self.noise, rate, releases, delta, given.accountant)


@dataclass(frozen=True)
class SkellamSums:
    """Skellam noise of deviation zC on a sum of updates that are rounded to whole numbers.

    Attributes:
        noise: z.
        bound: C in steps of the grid.
        largest: the largest 2-norm of a rounded update, in steps.
        entries: d.
        delta: δ.
    """

    noise: float
    bound: float
    largest: float
    entries: int
    delta: float

    @property
    def accountant(self) -> str:
        """The bound that is known for this noise."""
        return "Rényi divergences of Skellam noise"

    @property
    def variance(self) -> float:
        """Of the noise on each entry of the sum, in squared steps."""
        return (self.noise * self.bound) ** 2

    def epsilon(self, releases: int) -> float:
        """By Rényi divergences; for whole numbers ‖v‖₁ ≤ ‖v‖₂²."""
        l1 = min(self.entries**0.5 * self.largest, self.largest**2)
        return skellam_epsilon(self.variance, l1, self.largest, releases, self.delta)


def mechanism_of(
    params: HospitalParams, make: Callable[[float], NoisedSums], releases: int
) -> NoisedSums:
    """The mechanism with the noise that is given, or that keeps ``releases`` to the budget.

    Args:
        params: the link's.
        make: z → the mechanism.
        releases: the sums that are planned of a hospital.

    Raises:
        MedflError: no noise keeps to the budget.
    """
    if params.noise_multiplier is not None:
        return make(params.noise_multiplier)
    assert params.target_epsilon is not None
    what = f"{releases} rounds within ε {params.target_epsilon:g} at δ {params.target_delta:g}"
    planned = max(1, releases)
    refuse_no_noise(params.sampling_rate, planned, params.target_delta, what)
    return make(least_noise(params.target_epsilon, lambda z: make(z).epsilon(planned), what))


def releases_within(params: HospitalParams, sums: NoisedSums, planned: int) -> int:
    """How many of the ``planned`` sums a hospital takes part in before its budget is spent."""
    if params.target_epsilon is None or params.noise_multiplier is None:
        return planned
    return most_steps(params.target_epsilon, sums.epsilon, planned)
