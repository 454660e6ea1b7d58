"""How many seeds and test patients it takes to tell two arms apart, from a pilot's variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medfl.report.statistics import multi_case
from medfl.report.statistics.multi_case import Variance
from medfl.report.statistics.pairs import MIN_SEEDS, MIN_SEEDS_OF_TWO
from medfl.report.statistics.summary import LEVEL

POWER = 0.8
DRAWS = 1000  # of grids: a chance of 80 % is then known to ± 2.5 points
LEAST_PATIENTS = 30  # fewer give no normal means
MOST_SEEDS, MOST_TIMES = 100, 1000  # beyond which nobody would go


class _Drawn(NamedTuple):
    """What tells two arms apart in ``DRAWS`` grids of standard normal runs, each (DRAWS,).

    Attributes:
        apart: the difference of the two arms' means over seeds.
        mean_square: of their runs, by which they are tested, with ``df`` degrees of freedom.
        common: one more number of each grid, for what all seeds share.
    """

    apart: NDArray[Any]
    mean_square: NDArray[Any]
    df: NDArray[Any]
    common: NDArray[Any]


@lru_cache(maxsize=256)  # every pilot scales the same numbers
def _drawn(arms: int, seeds: int) -> _Drawn:
    random = np.random.default_rng(0)
    runs = random.standard_normal((DRAWS, arms, seeds))
    mean_square, df = multi_case.larger_mean_square(runs)
    means = runs.mean(axis=2)
    common = random.standard_normal(DRAWS)
    return _Drawn(means[:, 0] - means[:, 1], mean_square[:, 0, 1], df[:, 0, 1], common)


@dataclass(frozen=True)
class Pilot:
    """What makes differences between arms vary, in the mean over the pairs of a pilot's arms.

    Attributes:
        training: variance of a run's metric from seed to seed, beside what patients explain.
        judging: variance that its own test patients add to a run, beside other arms and seeds.
        shared: variance of a difference that comes of test patients whom all seeds share; 0 where
            each seed draws its own.
        patients: how many test patients a run of the pilot has.
        carried: how many of them carry the difference of two arms, in the mean.
        test_per_train: test samples for each training sample; None where seeds share test patients.
    """

    training: float
    judging: float
    shared: float
    patients: float
    carried: float
    test_per_train: float | None = None

    def power(self, difference: float, arms: int, seeds: int, times: float = 1.0) -> float:
        """How probable it is that a difference is found among all pairs of arms.

        Grids are drawn with normal numbers, in which the first arm is better, and are tested as
        the report tests them.

        Args:
            difference: of the two arms, as a fraction.
            arms: how many are compared.
            seeds: with how many each is trained.
            times: test patients, as a multiple of the pilot's.
        """
        drawn, overlap = _drawn(arms, seeds), self.test_per_train or 0.0
        variance, shared = self.training + self.judging / times, self.shared / times
        common = shared + 2 * variance * overlap
        apart = difference + drawn.apart * np.sqrt(variance) + drawn.common * np.sqrt(common)
        pair = Variance(
            drawn.mean_square * 2 * variance * (1 / seeds + overlap),
            drawn.df,
            np.full(DRAWS, shared),
            np.full(DRAWS, max(self.carried * times - 1, 1.0)),
        )
        pairs = arms * (arms - 1) / 2
        return float((apart > pair.half_width((1 - LEVEL) / pairs)).mean())

    def seeds_for(self, difference: float, arms: int, power: float = POWER) -> int | None:
        """The fewest seeds that find a difference with the pilot's patients; None: 100 do not."""
        low = MIN_SEEDS_OF_TWO if arms == 2 else MIN_SEEDS
        high = MOST_SEEDS
        if self.power(difference, arms, high) < power:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.power(difference, arms, middle) >= power:
                high = middle
            else:
                low = middle + 1
        return high

    def patients_for(
        self, difference: float, arms: int, seeds: int, power: float = POWER
    ) -> int | None:
        """The fewest test patients that find a difference with so many seeds, from 30 on.

        None where a thousand times the pilot's do not suffice.
        """
        low, high = LEAST_PATIENTS / self.patients, float(MOST_TIMES)
        if self.power(difference, arms, seeds, high) < power:
            return None
        if self.power(difference, arms, seeds, low) >= power:
            return LEAST_PATIENTS
        while high / low > 1.01:  # no pilot knows its variances any better
            middle = (low * high) ** 0.5
            enough = self.power(difference, arms, seeds, middle) >= power
            low, high = (low, middle) if enough else (middle, high)
        return int(np.ceil(high * self.patients))


def pilot(
    values: NDArray[Any],
    without: Sequence[NDArray[Any]],
    shared: bool,
    test_per_train: float,
) -> Pilot:
    """Measure a pilot.

    Args:
        values: (K, S) the metric by arm and seed, of two arms and seeds or more.
        without: for each seed (K, P) the metric without each of its test patients.
        shared: whether all seeds share their test patients.
        test_per_train: test samples for each training sample.
    """
    k = len(values)
    pairs = np.triu_indices(k, 1)
    pooled = float(multi_case.mean_squares(values)[0])
    differ = [one[pairs[0]] - one[pairs[1]] for one in without]
    sizes = [one.shape[1] for one in without]
    # The jackknife's variance of the difference of two runs of one seed: half of it is one run's.
    judging = (
        float(
            np.mean(
                [one.var(axis=1).mean() * (p - 1) for one, p in zip(differ, sizes, strict=True)]
            )
        )
        / 2
    )
    common, carried = (
        0.0,
        float(np.mean([multi_case.carried_by(_centred(d)).mean() for d in differ])),
    )
    if shared:
        found = multi_case.shared_test_set(values, np.stack(without, axis=1))
        common = float(found.patients[pairs].mean())
        carried = float(found.patients_df[pairs].mean()) + 1
        judging = max(judging - common / 2, 0.0)
    return Pilot(
        max(pooled - judging, 0.0),
        judging,
        common,
        float(np.mean(sizes)),
        carried,
        None if shared else test_per_train,
    )


def _centred(values: NDArray[Any]) -> NDArray[Any]:
    centred: NDArray[Any] = values - values.mean(axis=-1, keepdims=True)
    return centred
