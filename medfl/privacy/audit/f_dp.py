"""A lower bound on ε from one run, against the whole trade-off curve. Mahloujifar, Melis and
Chaudhuri, Auditing f-Differential Privacy in One Run, 2024 (arXiv:2410.22235), by its recursion.

(ε, δ) allows worse mechanisms than any that adds normal noise. Here the hypothesis is the curve of
Gaussian noise that has this ε at this δ, and fewer right guesses refute it.
"""

from __future__ import annotations

from medfl.privacy.accounting import gaussian_epsilon
from medfl.privacy.audit.one_run import largest_refuted


def gaussian_refuted(
    canaries: int, guesses: int, right: int, mu: float, significance: float
) -> bool:
    """Whether so many right guesses are too many for µ-GDP, at level ``significance``.

    The recursion runs from v right guesses down to none: h_i = max(h_{i+1}, f̄⁻¹(r_{i+1})) and
    r_i = r_{i+1} + i/(r − i) · (h_i − h_{i+1}), where f̄⁻¹(x) = Φ(Φ⁻¹(x) − µ). If such a result had
    probability ``significance``, more than the r guesses that were made would follow from it.

    Args:
        canaries: m, each in the data with probability ½.
        guesses: r.
        right: v.
        mu: µ.
        significance: the level.
    """
    from scipy.special import ndtr, ndtri

    hits = significance * right / canaries
    misses = significance * (guesses - right) / canaries
    for number in range(right - 1, -1, -1):
        least = max(misses, float(ndtr(ndtri(hits) - mu)))
        if least == misses:  # then nothing changes any more
            break
        hits = min(1.0, hits + number / (guesses - number) * (least - misses))
        misses = least
    return hits + misses > guesses / canaries


def f_dp_epsilon(
    canaries: int, guesses: int, right: int, delta: float, significance: float
) -> float:
    """ε at δ of the largest µ that these guesses refute; 0 where they refute none.

    Args:
        canaries: m.
        guesses: r, fixed before anything is seen.
        right: v.
        delta: δ.
        significance: the probability with which the bound may be wrong.
    """
    mu = largest_refuted(lambda mu: gaussian_refuted(canaries, guesses, right, mu, significance))
    return gaussian_epsilon(mu, delta)
