"""The exact privacy of Gaussian noise where everyone takes part in every release.

Balle and Wang, Improving the Gaussian Mechanism for Differential Privacy, ICML 2018, theorem 8. Of
T releases, each with noise of deviation zC on a sum that one member moves by at most C, all that
counts is µ = √T / z (Dong, Roth and Su, Gaussian Differential Privacy, JRSS-B 2022, corollary 2).
"""

from __future__ import annotations

import math


def gaussian_delta(mu: float, epsilon: float) -> float:
    """δ(ε) = Φ(−ε/µ + µ/2) − e^ε Φ(−ε/µ − µ/2), the least δ with which ε holds."""
    from scipy.special import log_ndtr

    if mu == 0.0:
        return 0.0
    first = float(log_ndtr(-epsilon / mu + mu / 2))
    second = epsilon + float(log_ndtr(-epsilon / mu - mu / 2))
    # Both terms may be tiny and nearly equal: their difference is taken from their logarithms.
    return max(0.0, -math.exp(first) * math.expm1(min(0.0, second - first)))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The least ε ≥ 0 with δ(ε) ≤ ``delta``, rounded up by no more than 1e-9."""
    from scipy.optimize import brentq

    if mu == 0.0 or gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    high = 1.0
    while gaussian_delta(mu, high) > delta:
        high *= 2
    root = brentq(lambda epsilon: gaussian_delta(mu, epsilon) - delta, 0.0, high, xtol=1e-10)
    return float(root) + 1e-9
