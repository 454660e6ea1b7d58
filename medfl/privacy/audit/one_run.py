"""A lower bound on ε from one run. Steinke, Nasr and Jagielski, Privacy Auditing with One (1)
Training Run, NeurIPS 2023, theorem 5.2.

Each of m canaries is in the data with probability ½, by itself. Somebody who sees what the run
releases guesses for some of them whether they were in. Under (ε, δ) few guesses can be right.
"""

from __future__ import annotations

from collections.abc import Callable

_NEVER = 1e-18
_RESOLUTION = 1e-7


def one_run_p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """A bound on the probability that so many guesses are right where (ε, δ) holds.

    β + 2 m δ · max over i of P[v − i ≤ B < v] / i, where β = P[B ≥ v] and B is binomial: r guesses,
    each of which is right with probability e^ε / (1 + e^ε).

    Args:
        canaries: m.
        guesses: r; for the other canaries no guess was made.
        right: v.
        epsilon: ε.
        delta: δ.
    """
    import numpy as np
    from scipy.special import expit
    from scipy.stats import binom

    chance = expit(epsilon)
    beta = float(binom.sf(right - 1, guesses, chance))
    # Below this B hardly ever is: there the quotient can only fall.
    lowest = max(0, int(binom.ppf(_NEVER, guesses, chance)))
    if not delta or right <= lowest:
        return min(1.0, beta)
    fewer = np.arange(1, right - lowest + 1)
    between = binom.sf(right - fewer - 1, guesses, chance) - beta
    return min(1.0, beta + 2 * canaries * delta * float((between / fewer).max()))


def one_run_epsilon(
    canaries: int, guesses: int, right: int, delta: float, significance: float
) -> float:
    """The largest ε that these guesses refute at level ``significance``; 0 where they refute none.

    Args:
        canaries: m.
        guesses: r, fixed before anything is seen.
        right: v.
        delta: δ.
        significance: the probability with which the bound may be wrong.
    """

    def refuted(epsilon: float) -> bool:
        return one_run_p_value(canaries, guesses, right, epsilon, delta) <= significance

    return largest_refuted(refuted)


def largest_refuted(refuted: Callable[[float], bool]) -> float:
    """The largest number from 0 up that is refuted, less 1e-7 at most; 0 where none is.

    ``refuted`` holds up to some number, and not beyond.
    """
    if not refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(high):
        low, high = high, 2 * high
    while high - low > _RESOLUTION:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
