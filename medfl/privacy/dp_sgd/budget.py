"""What each client may spend, in steps, and what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from medfl.privacy.accounting import epsilon_of, noise_for, steps_within
from medfl.privacy.dp_sgd.settings import DescentParams


def public_size(size: int, step: int) -> int:
    """A client's size as everyone may know it: rounded to a multiple of ``step``, at least one."""
    return max(1, math.floor(size / step + 0.5)) * step


@dataclass(frozen=True)
class Budget:
    """One client's mechanism: constants that are chosen before anything is seen.

    Attributes:
        size: N, its public size in units.
        rate: q, the probability with which a unit is in a step's sample.
        noise: z.
        steps: the noised steps of a round.
        limit: how many noised steps keep to its budget, of those that are planned.
        planned: how many steps are planned.
        delta: δ.
        accountant: what computes ε.
    """

    size: int
    rate: float
    noise: float
    steps: int
    limit: int
    planned: int
    delta: float
    params: DescentParams

    @property
    def expected(self) -> float:
        """The expected units of a step, by which its sum is divided."""
        return self.rate * self.size

    def epsilon(self, steps: int) -> float | None:
        """ε after so many noised steps; None where it is infinite."""
        found = epsilon_of(self.noise, self.rate, steps, self.delta, self.params.accountant)
        return found if math.isfinite(found) else None

    def allows(self, steps: int) -> bool:
        """Whether a further round keeps to the budget after so many noised steps."""
        return steps + self.steps <= self.limit


def plan_budget(
    params: DescentParams, units: int, batch_size: int, steps: int, rounds: int
) -> Budget:
    """The mechanism of a client with so many ``units`` of which ``batch_size`` are expected a step.

    Args:
        params: the link's.
        units: how many images, or patients, the client trains on.
        batch_size: the expected units of a step.
        steps: its noised steps in a round.
        rounds: the rounds in which it is to take part.

    Raises:
        MedflError: no noise keeps the planned steps within target_epsilon.
    """
    size = public_size(units, params.size_step)
    rate = min(1.0, batch_size / size)
    planned, delta, target = steps * rounds, params.target_delta, params.target_epsilon
    noise = params.noise_multiplier
    if noise is None:
        assert target is not None
        noise = noise_for(target, rate, max(1, planned), delta, params.accountant)
    limit = planned
    if target is not None and params.noise_multiplier is not None:
        limit = steps_within(target, noise, rate, planned, delta, params.accountant)
    return Budget(size, rate, noise, steps, limit, planned, delta, params)
