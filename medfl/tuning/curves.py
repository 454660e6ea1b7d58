"""What a grid's searches found: a table of all points, and the best of k of them as curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medfl.files import write_csv
from medfl.results import paths
from medfl.results.paths import KEYS

COLUMNS = (*KEYS, "point", "chosen", "metric", "validation", "status", "values")
CURVE = ("dataset", "partition", "arm", "k", "validation", "seeds")

Searches = Mapping[Any, Mapping[str, Any]]
"""The run on whose folds was searched (a ``CellLike``) → the content of its ``chosen.json``."""
Curves = dict[tuple[str, str, str], list[float]]


def best_of_k(values: Sequence[float | None]) -> list[float]:
    """The expected best of k = 1 … n points, drawn from n without putting back.

    With v_1 ≤ … ≤ v_n it is Σ_i v_i · C(i−1, k−1) / C(n, k): v_i is the best where the other k−1
    are among the i−1 below it (the estimate of Dodge et al., EMNLP 2019, for draws without
    replacement). The last is the best of all.

    Args:
        values: of each point; None where a run diverged, which is below all others. For a k at
            which only such points may be drawn nothing is expected: NaN.
    """
    n = len(values)
    ordered = sorted(-math.inf if value is None else value for value in values)
    curve = []
    for k in range(1, n + 1):
        shares = [math.comb(i, k - 1) / math.comb(n, k) for i in range(n)]
        parts = [value * share for value, share in zip(ordered, shares, strict=True) if share]
        expected = sum(parts)
        curve.append(expected if math.isfinite(expected) else math.nan)
    return curve


def write_searches(searches: Searches, results: str | Path) -> Curves:
    """Write ``tuning.csv`` and ``best-of-k.csv``.

    Args:
        searches: of a grid.
        results: the folder of the results.

    Returns:
        (dataset, partition, arm) → the expected best of 1 … n points, the mean over seeds.
    """
    write_csv(Path(results, paths.TUNED), COLUMNS, _rows(searches))
    found: dict[tuple[str, str, str], list[list[float]]] = {}
    for cell, search in searches.items():
        scores = [point["validation"] for point in search["points"]]
        place = (cell.dataset, cell.partition, cell.arm)
        found.setdefault(place, []).append(best_of_k(scores))
    curves = {
        place: [sum(at) / len(at) for at in zip(*each, strict=True)]
        for place, each in found.items()
    }
    rows = [
        {
            **dict(zip(CURVE, (*place, k), strict=False)),
            "validation": "" if math.isnan(value) else f"{value:.6g}",
            "seeds": len(found[place]),
        }
        for place, curve in curves.items()
        for k, value in enumerate(curve, 1)
    ]
    write_csv(Path(results, f"{paths.BEST_OF_K}.csv"), CURVE, rows)
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
