"""From a budget to the noise that keeps it, or to the steps that it allows."""

from __future__ import annotations

from medfl.errors import MedflError
from medfl.privacy.accounting.epsilon import Accountant, epsilon_of

_MOST_NOISE = 2.0**20
_RELATIVE = 1e-4  # how far above the least noise the answer may lie


def noise_for(
    target_epsilon: float,
    sampling_rate: float,
    steps: int,
    delta: float,
    accountant: Accountant = "rdp",
) -> float:
    """The least noise multiplier z, up to 0.01 % more, with which ``steps`` keep to the budget.

    Raises:
        MedflError: the budget is not above 0, or no amount of noise keeps to it.
    """
    if not target_epsilon > 0:
        raise MedflError(f"target_epsilon is {target_epsilon:g}: it must be above 0.")

    def spent(noise: float) -> float:
        return epsilon_of(noise, sampling_rate, steps, delta, accountant)

    high = 1.0
    while spent(high) > target_epsilon:
        high *= 2
        if high > _MOST_NOISE:
            raise MedflError(
                f"no noise keeps {steps} steps within ε {target_epsilon:g} at δ {delta:g} by the "
                f"accountant {accountant}: raise target_epsilon, or take fewer steps."
            )
    low = 0.0
    while high - low > _RELATIVE * high:
        middle = (low + high) / 2
        if spent(middle) > target_epsilon:
            low = middle
        else:
            high = middle
    return high


def steps_within(
    target_epsilon: float,
    noise: float,
    sampling_rate: float,
    limit: int,
    delta: float,
    accountant: Accountant = "rdp",
) -> int:
    """The most steps, of at most ``limit``, that keep to the budget; 0 where one is too many."""
    low, high = 0, limit + 1  # low keeps to it; high does not, or is out of reach
    while high - low > 1:
        middle = (low + high) // 2
        if epsilon_of(noise, sampling_rate, middle, delta, accountant) <= target_epsilon:
            low = middle
        else:
            high = middle
    return low
