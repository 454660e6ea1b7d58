"""Writes what a grid's searches found: every point, and the best of k of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medfl.report.searches import Curves, Searches, by_place, mean_curves
from medfl.report.spreadsheet import write_spreadsheet
from medfl.results import paths
from medfl.results.paths import KEYS

COLUMNS = (*KEYS, "point", "chosen", "metric", "validation", "status", "values")
CURVE = ("dataset", "partition", "arm", "k", "validation", "seeds")


def write_searches(searches: Searches, results: str | Path) -> Curves:
    """Write ``tuning.csv`` and ``best-of-k.csv``.

    Args:
        searches: of a grid.
        results: the folder of the results.

    Returns:
        (dataset, partition, arm) → the expected best of 1 … n points, the mean over seeds.
    """
    write_spreadsheet(Path(results, paths.TUNED), COLUMNS, _rows(searches))
    curves, seeds = mean_curves(searches), by_place(searches)
    rows = [
        {
            **dict(zip(CURVE, (*place, k), strict=False)),
            "validation": "" if math.isnan(value) else f"{value:.6g}",
            "seeds": len(seeds[place]),
        }
        for place, curve in curves.items()
        for k, value in enumerate(curve, 1)
    ]
    write_spreadsheet(Path(results, f"{paths.BEST_OF_K}.csv"), CURVE, rows)
    return curves


def _rows(searches: Searches) -> Iterable[dict[str, Any]]:
    for cell, search in searches.items():
        for number, point in enumerate(search["points"], 1):
            score = point["validation"]
            yield {
                **{key: getattr(cell, key) for key in KEYS},
                "point": number,
                "chosen": int(number == search["chosen"]),
                "metric": search["metric"],
                "validation": "" if score is None else f"{score:.6g}",
                "status": point["status"],
                "values": "; ".join(f"{key} = {one}" for key, one in point["values"].items()),
            }
