"""All pairs of the arms of one family of claims: which may be told apart.

A family is tested by one metric. Holm's correction over all of its pairs keeps the chance of any
false claim in it at 5 %, however many arms there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import numpy as np

from medfl.report.statistics import multi_case
from medfl.report.statistics.summary import LEVEL

MIN_SEEDS = 3
MIN_SEEDS_OF_TWO = 4  # with two arms and three seeds no test keeps its level (docs/statistics.md)

Design = Literal["shared", "own"]


@dataclass(frozen=True)
class PairTest:
    """Two arms, the first with the higher mean.

    Attributes:
        arm: the first.
        other: the second.
        difference: the first's mean minus the second's.
        low, high: the simultaneous 95 % interval of the difference; None where nothing varies.
        p: two-sided; None where nothing varies.
        p_holm: after Holm's correction over all pairs of the family.
    """

    arm: str
    other: str
    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def separated(self) -> bool:
        """Whether the test tells the two apart at 5 % after Holm's correction."""
        return self.p_holm is not None and self.p_holm < 1 - LEVEL

    def equal_within(self, margin: float) -> bool:
        """Whether the whole interval lies inside ± ``margin``."""
        if self.low is None or self.high is None:
            return False
        return -margin < self.low and self.high < margin


@dataclass(frozen=True)
class Comparison:
    """What may be claimed of the arms of one family.

    Attributes:
        arms: those that are compared, the highest mean first.
        seeds: the seeds that each of them has.
        folds: whether seeds share their test patients; None where that is not known.
        patients: how many these are; None with own folds, or where that is not known.
        pairs: every two arms of which the family speaks; empty where no claim is made.
        intervals: arm → where its mean on new patients lies; empty where no claim is made.
        reason: why no claim is made, in words.
        absent: arm → why it is not compared, in words.
    """

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: Design | None = None
    patients: int | None = None
    pairs: tuple[PairTest, ...] = ()
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reason: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)

    def between(self, arm: str, other: str) -> PairTest | None:
        """The test of two arms, in whichever order; None where there is none."""
        return next((pair for pair in self.pairs if {pair.arm, pair.other} == {arm, other}), None)

    def told_apart(self, arm: str, other: str) -> bool:
        """Whether a test tells two arms apart."""
        pair = self.between(arm, other)
        return pair is not None and pair.separated

    def like_best(self, arms: Sequence[str]) -> list[str]:
        """Of some arms the one with the highest mean, and those that are not told from it.

        Empty where no claim is made.
        """
        order = [arm for arm in self.arms if arm in arms]
        if not self.pairs:
            return []
        return [arm for arm in order if not self.told_apart(order[0], arm)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scand. J. Statist. 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def too_few(arms: int, seeds: int) -> str:
    """Why no test is made of so few arms and seeds, in words; empty where one is."""
    if arms < 2:
        return "there are no two arms to compare"
    need = MIN_SEEDS_OF_TWO if arms == 2 else MIN_SEEDS
    if seeds >= need:
        return ""
    words = "1 seed cannot" if seeds == 1 else f"{seeds} seeds cannot"
    count = "two arms need" if arms == 2 else f"{arms} arms need"
    return f"{words} tell arms apart ({count} {need} seeds)"


def compare_pairs(
    arms: Sequence[str],
    values: Any,
    *,
    left_out: Any = None,
    test_per_train: float | None = None,
    lowest: float = 0.0,
    between: Callable[[str, str], bool] | None = None,
) -> tuple[tuple[PairTest, ...], dict[str, tuple[float, float]]]:
    """Compare every two arms, and say where the mean of each lies on new patients.

    Args:
        arms: K names, the highest mean first.
        values: (K, S) the metric by arm and seed.
        left_out: (K, S, P) the metric without each patient, where seeds share their test patients.
        test_per_train: test samples for each training sample, where each seed draws its own.
        lowest: the least that the metric can be; the most is 1. No interval leaves that.
        between: which two arms are compared; None: every two. Variances are of all arms.

    Returns:
        The tests, and arm → its 95 % interval.

    Raises:
        ValueError: for fewer arms or seeds than a test needs, or both designs or none.
    """
    table = np.asarray(values, dtype=np.float64)
    if (left_out is None) == (test_per_train is None) or too_few(*table.shape):
        raise ValueError("a test needs one design, two arms and enough seeds")
    if left_out is not None:
        apart = multi_case.shared_test_set(table, left_out)
        alone = multi_case.mean_on_shared_test_set(table, left_out)
    else:
        apart = multi_case.own_test_sets(table, test_per_train)
        alone = multi_case.mean_on_own_test_sets(table, test_per_train)
    means = table.mean(axis=1)
    places = [
        (i, j)
        for i, j in combinations(range(len(arms)), 2)
        if between is None or between(arms[i], arms[j])
    ]
    if not places:
        raise ValueError("there are no two arms to compare")
    one, other = np.array(places).T
    apart = apart.at(one, other)
    p_values = apart.p_value(means[one] - means[other])
    widths = apart.half_width((1 - LEVEL) / len(places))
    span = 1.0 - lowest
    tests = []
    for (i, j), p, width in zip(places, p_values.tolist(), widths.tolist(), strict=True):
        difference = float(means[i] - means[j])
        if np.isnan(p):
            tests.append(PairTest(arms[i], arms[j], difference))
            continue
        low = max(difference - width, -span)
        high = min(difference + width, span)
        tests.append(PairTest(arms[i], arms[j], difference, low, high, p))
    tested = [k for k, test in enumerate(tests) if test.p is not None]
    # A pair that cannot be tested still counts: the family was named before the runs.
    adjusted = holm([1.0 if test.p is None else test.p for test in tests])
    for k in tested:
        tests[k] = PairTest(**{**vars(tests[k]), "p_holm": adjusted[k]})
    half = alone.half_width(1 - LEVEL)
    ends = {
        arm: (max(float(means[k] - half[k]), lowest), min(float(means[k] + half[k]), 1.0))
        for k, arm in enumerate(arms)
    }
    return tuple(tests), ends
