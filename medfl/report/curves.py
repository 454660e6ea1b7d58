"""Learning curves: the rounds of a run, and their mean over seeds."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.report.statistics import summarise
from medfl.results import paths

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Point:
    """A curve at one round: mean and sample standard deviation over ``n`` seeds."""

    round: int
    bytes_total: float
    n: int
    mean: float
    sd: float | None


def read_rounds(folder: str | Path) -> list[dict[str, Any]]:
    """The rows of a run's ``rounds.csv`` with numbers as floats and empty cells as None.

    Raises:
        MedflError: if the file is missing or holds something that is no number.
    """
    path = Path(folder, paths.ROUNDS)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or "round" not in rows[0] or None in rows[-1].values():
            raise ValueError("it is empty or cut off")
        return [{key: float(text) if text else None for key, text in row.items()} for row in rows]
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist: the run is not complete.") from error
    except (OSError, ValueError, TypeError) as error:
        raise MedflError(f"{path} cannot be read ({error}): train this run again.") from error


def mean_curve(histories: Sequence[History], metric: str) -> list[Point]:
    """The mean over histories, at the rounds for which every one of them has a value."""
    by_round = [
        {int(row["round"]): row for row in history if is_number(row.get(metric))}
        for history in histories
    ]
    if not by_round:
        return []
    points = []
    for number in sorted(set.intersection(*(set(rows) for rows in by_round))):
        rows = [found[number] for found in by_round]
        summary = summarise([float(row[metric]) for row in rows])
        traffic = math.fsum(float(row.get("bytes_total") or 0) for row in rows) / len(rows)
        points.append(Point(number, traffic, summary.n, summary.mean, summary.sd))
    return points


def is_number(value: Any) -> bool:
    """Whether a cell holds a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)
