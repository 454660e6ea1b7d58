"""Learning curves: the mean over the seeds of runs, round by round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medfl.report.statistics import summarise


@dataclass(frozen=True)
class Point:
    """A curve at one round: mean and sample standard deviation over ``n`` seeds."""

    round: int
    bytes_total: float
    n: int
    mean: float
    sd: float | None


def measured(rounds: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rounds (rows of ``rounds.csv``) with a finite number in each of ``columns``."""
    numbers = rounds.reindex(columns=list(columns)).apply(pd.to_numeric).astype(float)
    found: pd.DataFrame = rounds[np.isfinite(numbers).all(axis=1)]
    return found


def mean_curve(histories: Sequence[pd.DataFrame], metric: str) -> list[Point]:
    """The mean over histories, at the rounds for which every one of them has a value."""
    if not histories:
        return []
    points = []
    for _, rows in measured(pd.concat(histories), metric).groupby("round"):
        if len(rows) == len(histories):
            summary = summarise(rows[metric].tolist())
            sent = rows.get("bytes_total", pd.Series(dtype=float)).dropna()
            traffic = math.fsum(sent) / len(rows)
            points.append(
                Point(int(rows["round"].iloc[0]), traffic, summary.n, summary.mean, summary.sd)
            )
    return points
