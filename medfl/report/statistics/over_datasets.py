"""Whether arms differ over many data sets, each of which counts once.

Ranks within each data set, Friedman's test over all arms, Wilcoxon's signed-rank test of each pair
with Holm's correction (Demšar, JMLR 7, 2006; García & Herrera, JMLR 9, 2008; Benavoli et al., JMLR
17, 2016, for why not Nemenyi's). Partitions of a data set share its patients: their mean is one
number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.report.statistics.pairs import PairTest, holm
from medfl.report.statistics.summary import LEVEL

EXACT = 2**14  # assignments of signs that are counted one by one


@dataclass(frozen=True)
class OverDatasets:
    """Arms over data sets.

    Attributes:
        arms: the best mean rank first.
        ranks: the mean rank of each; equal values share the mean of theirs.
        datasets: those in which every arm has a number.
        needed: the fewest data sets with which Holm's correction can reach 5 % for so many arms.
        friedman: p of Friedman's test that all arms are alike; None for two arms, or too few sets.
        pairs: every two arms; empty with fewer data sets than are needed.
    """

    arms: tuple[str, ...]
    ranks: tuple[float, ...]
    datasets: tuple[str, ...]
    needed: int
    friedman: float | None = None
    pairs: tuple[PairTest, ...] = ()

    @property
    def together(self) -> list[tuple[int, int]]:
        """First and last place of each longest row of arms of which no two are told apart."""
        told = {frozenset((pair.arm, pair.other)) for pair in self.pairs if pair.separated}

        def alike(first: int, last: int) -> bool:
            some = combinations(self.arms[first : last + 1], 2)
            return all(frozenset(two) not in told for two in some)

        rows: list[tuple[int, int]] = []
        for first in range(len(self.arms)):
            last = first
            while last + 1 < len(self.arms) and alike(first, last + 1):
                last += 1
            if last > first and (not rows or last > rows[-1][1]):
                rows.append((first, last))
        return rows


def needed(arms: int) -> int:
    """The fewest data sets with which Wilcoxon's exact test and Holm's correction can reach 5 %.

    With n sets the smallest two-sided p is 2 / 2ⁿ, and the smallest of m pairs is multiplied by m.
    """
    pairs, n = arms * (arms - 1) // 2, 1
    while pairs * 2.0 ** (1 - n) >= 1 - LEVEL:
        n += 1
    return n


def over_datasets(values: Mapping[str, Mapping[str, float]]) -> OverDatasets | None:
    """Compare arms over data sets.

    Args:
        values: arm → data set → its mean, of a metric of which more is better. An arm takes part
            if it has a number in every data set that any arm has.

    Returns:
        None for fewer than two arms or data sets.
    """
    datasets = tuple(dict.fromkeys(name for found in values.values() for name in found))
    arms = [arm for arm, found in values.items() if set(found) == set(datasets)]
    if len(arms) < 2 or len(datasets) < 2:
        return None
    table = np.array([[values[arm][name] for name in datasets] for arm in arms])
    ranks = _ranks(table).mean(axis=1)
    order = np.argsort(ranks, kind="stable")
    names = tuple(arms[k] for k in order)
    found = OverDatasets(names, tuple(float(ranks[k]) for k in order), datasets, needed(len(names)))
    if len(datasets) < found.needed:
        return found
    from scipy import stats  # half a second to import

    friedman = float(stats.friedmanchisquare(*table).pvalue) if len(arms) > 2 else None
    tests = []
    for i, j in combinations(order, 2):
        apart = table[i] - table[j]
        tests.append((arms[i], arms[j], float(apart.mean()), _signed_rank(apart)))
    adjusted = holm([p for *_, p in tests])
    pairs = tuple(
        PairTest(arm, other, apart, p=p, p_holm=corrected)
        for (arm, other, apart, p), corrected in zip(tests, adjusted, strict=True)
    )
    return OverDatasets(**{**vars(found), "friedman": friedman, "pairs": pairs})


def _ranks(table: NDArray[Any]) -> NDArray[Any]:
    """(K, D) the place of each arm in each data set, 1 for the largest number; ties share theirs.

    SciPy's and pandas's function do the same, and take a quarter of a second to import.
    """
    above = (table[None] > table[:, None]).sum(axis=1)
    alike = (table[None] == table[:, None]).sum(axis=1)
    places: NDArray[Any] = above + (alike + 1) / 2
    return places


def _signed_rank(differences: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, exact where the signs can be counted."""
    from scipy import stats

    some = np.asarray(differences)
    some = some[some != 0]
    if len(some) == 0:
        return 1.0
    if 2 ** len(some) > EXACT:
        return float(stats.wilcoxon(some).pvalue)
    # All assignments of signs: right with ties, too, which the table of the test is not.
    ranks = stats.rankdata(np.abs(some))
    signs = (np.arange(2 ** len(some))[:, None] >> np.arange(len(some))) & 1
    sums, middle = signs @ ranks, ranks.sum() / 2
    seen = abs(ranks[some > 0].sum() - middle)
    return float((np.abs(sums - middle) >= seen - 1e-9).mean())
