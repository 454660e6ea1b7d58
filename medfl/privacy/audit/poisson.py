"""Whether samples were drawn by chance, as the accounting says: each unit by itself, every time.

No bound on ε sees the difference between such Poisson samples and passes over shuffled data, whose
privacy is another. The draws themselves show it: in how large samples are, in how often each unit
is drawn, and in what consecutive samples have in common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DrawMatrix = NDArray[np.bool_]
"""(T, n), whether each of n units is in each of T samples."""

LEVEL = 1e-3
"""The probability with which true Poisson samples are refused, over the four tests together."""


@dataclass(frozen=True)
class PoissonTests:
    """Two-sided p-values under the hypothesis of Poisson samples.

    Attributes:
        rate: how many units were drawn in all: binomial.
        sizes: how much the sizes of samples vary: binomial each.
        participations: how much it varies how often a unit is drawn: binomial each.
        overlaps: how many units two consecutive samples share: independent ones share q² n.
    """

    rate: float
    sizes: float
    participations: float
    overlaps: float

    @property
    def passed(self) -> bool:
        """Whether none is below its part of ``LEVEL``."""
        found = (self.rate, self.sizes, self.participations, self.overlaps)
        return min(found) >= LEVEL / len(found)


def poisson_tests(draws: Sequence[tuple[DrawMatrix, float]]) -> PoissonTests:
    """Test the draws of several clients together.

    Args:
        draws: of each client, what was drawn, and the probability q that is accounted for.
    """
    certain = [drawn.all() for drawn, rate in draws if rate == 1.0]
    if not all(certain):
        return PoissonTests(0.0, 0.0, 0.0, 0.0)
    by_chance = [(drawn, rate) for drawn, rate in draws if rate < 1.0 and drawn.size]
    if not by_chance:
        return PoissonTests(1.0, 1.0, 1.0, 1.0)
    return PoissonTests(
        _totals(by_chance),
        _spread([(drawn.sum(axis=1), drawn.shape[1], rate) for drawn, rate in by_chance]),
        _spread([(drawn.sum(axis=0), drawn.shape[0], rate) for drawn, rate in by_chance]),
        _overlaps(by_chance),
    )


def _totals(draws: Sequence[tuple[DrawMatrix, float]]) -> float:
    from scipy.stats import norm

    off = sum(float(drawn.sum()) - rate * drawn.size for drawn, rate in draws)
    variance = sum(rate * (1 - rate) * drawn.size for drawn, rate in draws)
    return 2 * float(norm.sf(abs(off) / math.sqrt(variance)))


def _spread(counts: Sequence[tuple[NDArray[np.int64], int, float]]) -> float:
    """How likely Σ (c − nq)² / nq(1 − q) is for binomial counts c; each a number of n trials.

    The sum has the mean and variance of as many squares, and takes the place of the χ² number that
    has both.
    """
    from scipy.stats import chi2

    found = mean = variance = 0.0
    for numbers, trials, rate in counts:
        each = trials * rate * (1 - rate)
        found += float(((numbers - trials * rate) ** 2).sum()) / each
        mean += len(numbers)
        variance += len(numbers) * (2 + (1 - 6 * rate * (1 - rate)) / each)
    if variance < 1e-9:  # one trial with q = ½: the square is ¼, however the coin falls
        return 1.0
    scale, freedom = variance / (2 * mean), 2 * mean**2 / variance
    below, above = chi2.cdf(found / scale, freedom), chi2.sf(found / scale, freedom)
    return min(1.0, 2 * float(min(below, above)))


def _overlaps(draws: Sequence[tuple[DrawMatrix, float]]) -> float:
    """Σ over units and steps of x_t x_{t+1}, whose neighbours share a factor: q³ − q⁴ each."""
    from scipy.stats import norm

    off = variance = 0.0
    for drawn, rate in draws:
        steps, units = drawn.shape
        pairs = max(0, steps - 1)
        off += float((drawn[:-1] & drawn[1:]).sum()) - pairs * units * rate**2
        alone = pairs * rate**2 * (1 - rate**2)
        variance += units * (alone + 2 * max(0, pairs - 1) * (rate**3 - rate**4))
    return 2 * float(norm.sf(abs(off) / math.sqrt(variance))) if variance else 1.0
