"""From a budget to the noise that keeps it, or to the steps that it allows."""

from __future__ import annotations

import math
from collections.abc import Callable

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

    def spent(noise: float) -> float:
        return epsilon_of(noise, sampling_rate, steps, delta, accountant)

    what = (
        f"{steps} steps within ε {target_epsilon:g} at δ {delta:g} by the accountant {accountant}"
    )
    refuse_no_noise(sampling_rate, steps, delta, what)
    return least_noise(target_epsilon, spent, what)


def refuse_no_noise(sampling_rate: float, steps: int, delta: float, what: str) -> None:
    """Refuse (``MedflError``) to search for noise where a member is hardly ever drawn at all.

    It is drawn with a probability of at most q T. Where δ is no less, 0 is already ε without noise,
    and a search would go on towards none without end.
    """
    if sampling_rate * steps <= delta:
        raise MedflError(
            f"{what} need no noise: each member is drawn with a probability of at most "
            f"{sampling_rate * steps:g}, which δ covers. Raise the sampling rate, or lower "
            "target_delta."
        )


def least_noise(target_epsilon: float, spent: Callable[[float], float], what: str) -> float:
    """The least noise multiplier z, up to 0.01 % more, that keeps to the budget.

    Args:
        target_epsilon: the budget.
        spent: z → ε, which falls; at an infinite z the least ε that can be proved.
        what: what no noise keeps, for the error, such as ``50 steps within ε 1``.

    Raises:
        MedflError: the budget is not above 0, or no amount of noise keeps to it.
    """
    if not target_epsilon > 0:
        raise MedflError(f"target_epsilon is {target_epsilon:g}: it must be above 0.")
    least = spent(math.inf)
    if least > target_epsilon:  # before noise is doubled: with much of it accountants are slow
        proved = f"no ε below {least:.3g}" if math.isfinite(least) else "no ε"
        raise MedflError(
            f"no noise keeps {what}: at this δ {proved} can be proved, however much noise there "
            "is. Raise target_epsilon or target_delta."
        )
    high = 1.0
    while spent(high) > target_epsilon:
        high *= 2
        if high > _MOST_NOISE:
            raise MedflError(f"no noise keeps {what}: raise target_epsilon, or take fewer steps.")
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

    def spent(steps: int) -> float:
        return epsilon_of(noise, sampling_rate, steps, delta, accountant)

    return most_steps(target_epsilon, spent, limit)


def most_steps(target_epsilon: float, spent: Callable[[int], float], limit: int) -> int:
    """The most steps, of at most ``limit``, that keep to the budget; ``spent`` is steps → ε."""
    low, high = 0, limit + 1  # low keeps to it; high does not, or is out of reach
    while high - low > 1:
        middle = (low + high) // 2
        if spent(middle) <= target_epsilon:
            low = middle
        else:
            high = middle
    return low
