"""Learning curves: the mean over the seeds of runs, round by round."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medfl.results.tables import History

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Point:
    """A curve at one round: mean and sample standard deviation over ``n`` seeds."""

    round: int
    bytes_total: float
    n: int
    mean: float
    sd: float | None


def as_history(rounds: pd.DataFrame) -> History:
    """The numbers of a history in memory, whose columns are those of ``rounds.csv``."""
    import pandas as pd  # tables are made without it

    numbers = rounds.apply(pd.to_numeric, errors="coerce").astype(float)
    return {str(name): numbers[name].to_numpy() for name in numbers}


def measured(history: History, *columns: str) -> list[NDArray[np.float64]]:
    """The numbers of ``columns`` in the rounds that have a finite one in each of them."""
    length = len(next(iter(history.values()), ()))
    blank = np.full(length, math.nan)
    found = [history.get(name, blank) for name in columns]
    whole = np.logical_and.reduce([np.isfinite(values) for values in found])
    return [values[whole] for values in found]


def mean_curve(histories: Sequence[History], metric: str) -> list[Point]:
    """The mean over histories, at the rounds for which every one of them has a value."""
    return means_of(histories, [metric])[metric]


def means_of(histories: Sequence[History], metrics: Iterable[str]) -> dict[str, list[Point]]:
    """Metric → its ``mean_curve``."""
    return {metric: _mean_curve(histories, metric) for metric in metrics}


def _mean_curve(histories: Sequence[History], metric: str) -> list[Point]:
    if not histories:
        return []
    rounds, values, traffic = _as_they_are(histories, metric) or _in_common(histories, metric)
    if not rounds:
        return []
    n = len(histories)
    sd = values.std(axis=0, ddof=1).tolist() if n > 1 else [None] * len(rounds)
    each = zip(rounds, traffic.mean(axis=0).tolist(), values.mean(axis=0).tolist(), sd, strict=True)
    return [Point(number, at, n, mean, spread) for number, at, mean, spread in each]


_Whole = tuple[list[int], NDArray[np.float64], NDArray[np.float64]]  # rounds; (S, R); (S, R)


def _as_they_are(histories: Sequence[History], metric: str) -> _Whole | None:
    """Rounds, values and traffic where all histories have the same rounds and lack no number."""
    columns = []
    for history in histories:
        found = [history.get(name) for name in ("round", metric, "bytes_total")]
        columns.append([one for one in found if one is not None])
    if any(len(found) < 3 for found in columns) or len({len(found[0]) for found in columns}) > 1:
        return None
    whole = np.array(columns, dtype=float)  # (S, 3, R)
    rounds = whole[0, 0]
    if (
        not np.isfinite(whole).all()
        or (whole[:, 0] != rounds).any()
        or (np.diff(rounds) <= 0).any()
    ):
        return None
    return rounds.astype(int).tolist(), whole[:, 1], whole[:, 2]


def _in_common(histories: Sequence[History], metric: str) -> _Whole:
    """Rounds for which every history has a value, values and traffic; 0 where that is not known."""
    seen = [_by_round(history, metric) for history in histories]
    sent = [_by_round(history, "bytes_total") for history in histories]
    rounds = sorted(set.intersection(*map(set, seen)))
    values = np.array([[found[number] for number in rounds] for found in seen])
    traffic = np.array([[found.get(number, 0.0) for number in rounds] for found in sent])
    return rounds, values, traffic


def _by_round(history: History, column: str) -> dict[int, float]:
    numbers, values = measured(history, "round", column)
    return dict(zip(numbers.astype(int).tolist(), values.tolist(), strict=True))
