"""The privacy of Skellam noise, which is whole numbers whose sums are Skellam noise again.

Agarwal, Kairouz and Liu, The Skellam Mechanism for Differentially Private Federated Learning,
NeurIPS 2021, section 3. A Skellam number of variance µ is the difference of two Poisson numbers,
each of mean µ/2.
"""

from __future__ import annotations

import math

_ORDERS = (*range(2, 129), *range(136, 513, 8), 1024, 2048, 4096, 8192)


def skellam_divergence(order: int, variance: float, l1: float, l2: float) -> float:
    """A bound on the Rényi divergence of noise of ``variance`` on each of a vector's entries.

    Args:
        order: α, a whole number above 1.
        variance: µ, of the noise on each entry.
        l1: Δ₁, the largest 1-norm of what one member adds to the vector of whole numbers.
        l2: Δ₂, its largest 2-norm.
    """
    beyond: float = min(
        ((2 * order - 1) * l2**2 + 6 * l1) / (4 * variance**2),
        3 * l1 / (2 * variance),
    )
    return order * l2**2 / (2 * variance) + beyond


def skellam_epsilon(variance: float, l1: float, l2: float, releases: int, delta: float) -> float:
    """ε after ``releases`` vectors with such noise, to each of which a member adds as much.

    From Rényi divergences to ε by Canonne, Kamath and Steinke, The Discrete Gaussian for
    Differential Privacy, NeurIPS 2020, proposition 12.
    """
    if releases <= 0:
        return 0.0
    if variance == 0.0:
        return math.inf
    found: list[float] = [
        releases * skellam_divergence(order, variance, l1, l2)
        + math.log1p(-1 / order)
        - (math.log(delta) + math.log(order)) / (order - 1)
        for order in _ORDERS
    ]
    return max(0.0, min(found))


def skellam_tail(size: float, variance: float) -> float:
    """The logarithm of a bound on the probability that such a number is ``size`` or more in size.

    Chernoff's: with the cumulant function µ (cosh s − 1), the best s is asinh(size / µ).
    """
    if size <= 0.0 or variance == 0.0:
        return 0.0 if size <= 0.0 else -math.inf
    best = math.asinh(size / variance)
    # cosh(s) − 1 = 2 sinh²(s/2), which loses no digits where s is small.
    return min(0.0, math.log(2) + 2 * variance * math.sinh(best / 2) ** 2 - best * size)
