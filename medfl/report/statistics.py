"""How sure we are: means over seeds, intervals, paired comparisons, ranks.

A seed decides the split, the initial weights and the order of batches alike for every arm, so arms
are compared seed by seed. Three seeds are the fewest for which a paired test is made at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_SEEDS = 3
LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """The mean over ``n`` seeds, its deviation and interval, which are None for a single seed."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PairedTest:
    """The best arm minus another, over their ``n`` common seeds; ``p`` is two-sided."""

    arm: str
    n: int
    difference: float
    p: float | None
    p_holm: float | None = None

    @property
    def separated(self) -> bool:
        """Whether the test tells the two apart at 5 % after Holm's correction."""
        return self.p_holm is not None and self.p_holm < 1 - LEVEL


@dataclass(frozen=True)
class Ranking:
    """Arms from best to worst, and the tests of the best against each of the others."""

    order: tuple[str, ...]
    summaries: Mapping[str, Summary]
    tests: tuple[PairedTest, ...]

    def place(self, arm: str) -> int:
        """The place of an arm: one more than the arms that are better; equal means share it."""
        means = [self.summaries[other].mean for other in self.order]
        return 1 + means.index(self.summaries[arm].mean)

    @property
    def best(self) -> str:
        """The arm with the best mean."""
        return self.order[0]

    @property
    def testable(self) -> bool:
        """Whether every comparison could be tested."""
        return all(test.p is not None for test in self.tests)

    @property
    def not_separated(self) -> list[str]:
        """The arms that the tests cannot tell from the best."""
        return [test.arm for test in self.tests if not test.separated]


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


def paired_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of a paired t-test, from the differences.

    None where no test can be made: fewer than ``MIN_SEEDS`` pairs, or differences without any
    spread, which a coarse accuracy on few samples gives by chance.
    """
    if len(differences) < MIN_SEEDS:
        return None
    from scipy.special import stdtr

    summary = summarise(differences)
    sd = summary.sd or 0.0
    # Where all differences are the same number, rounding leaves a spread of about 1e-17.
    if sd <= 1e-12 * max(1.0, abs(summary.mean)):
        return 1.0 if abs(summary.mean) <= 1e-12 else None
    t = summary.mean / (sd / math.sqrt(summary.n))
    return float(2 * stdtr(summary.n - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scand. J. Statist. 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def rank(
    values: Mapping[str, Mapping[int, float]], higher_is_better: bool = True
) -> Ranking | None:
    """Order arms by their mean and compare the best with each other one.

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
    return Ranking(tuple(order), summaries, _compare(order, entrants))


def _compare(
    order: Sequence[str], values: Mapping[str, Mapping[int, float]]
) -> tuple[PairedTest, ...]:
    best = values[order[0]]
    tests = []
    for arm in order[1:]:
        common = [seed for seed in best if seed in values[arm]]
        differences = [best[seed] - values[arm][seed] for seed in common]
        mean = math.fsum(differences) / len(common) if common else math.nan
        tests.append(PairedTest(arm, len(common), mean, paired_p(differences)))
    tested = [test for test in tests if test.p is not None]
    adjusted = dict(
        zip(
            (test.arm for test in tested),
            holm([test.p for test in tested if test.p is not None]),
            strict=True,
        )
    )
    return tuple(
        PairedTest(test.arm, test.n, test.difference, test.p, adjusted.get(test.arm))
        for test in tests
    )
