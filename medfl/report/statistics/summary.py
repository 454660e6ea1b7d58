"""Means over seeds, and the order of arms by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """The mean over ``n`` seeds, its deviation and interval, which are None for a single seed.

    The interval is over re-runs: it says where other seeds would take the mean on these patients.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ranking:
    """Arms from best to worst by their means. It claims nothing."""

    order: tuple[str, ...]
    summaries: Mapping[str, Summary]

    def place(self, arm: str) -> int:
        """The place of an arm: one more than the arms that are better; equal means share it."""
        means = [self.summaries[other].mean for other in self.order]
        return 1 + means.index(self.summaries[arm].mean)

    @property
    def best(self) -> str:
        """The arm with the best mean."""
        return self.order[0]


def summarise(values: Sequence[float], level: float = LEVEL) -> Summary:
    """Mean, sample standard deviation and Student-t interval of the mean.

    Raises:
        ValueError: for no values at all.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no values to summarise")
    mean = math.fsum(values) / n
    if n == 1:
        return Summary(1, mean, None, None, None)
    from scipy.special import stdtrit

    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half)


def rank(
    values: Mapping[str, Mapping[int, float]], higher_is_better: bool = True
) -> Ranking | None:
    """Order arms by their mean.

    Args:
        values: arm → seed → value, of finished runs. Only arms with the largest number of
            finished seeds compete, so that no mean over fewer seeds wins by luck.
        higher_is_better: the direction of the metric.

    Returns:
        None if there is nothing to rank.
    """
    most = max((len(seeds) for seeds in values.values()), default=0)
    if most == 0:
        return None
    entrants = {arm: seeds for arm, seeds in values.items() if len(seeds) == most}
    summaries = {arm: summarise(list(seeds.values())) for arm, seeds in entrants.items()}
    sign = -1 if higher_is_better else 1
    order = sorted(entrants, key=lambda arm: sign * summaries[arm].mean)
    return Ranking(tuple(order), summaries)
