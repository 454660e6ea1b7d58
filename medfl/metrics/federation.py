"""Metrics that only a federation has: the spread over clients, and the cost of a target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from medfl.errors import MedflError


def fairness(per_client: Mapping[str, float | None]) -> dict[str, Any]:
    """How a metric, of which more is better, is spread over the clients.

    Args:
        per_client: the metric by client; None where it is undefined.

    Returns:
        ``mean``, ``std`` (of the population), ``worst``, ``worst_client`` (the first of equals),
        ``best`` and ``jain`` over the ``n`` clients that have a value, and the list ``undefined``
        of those that have none. If no client has a value, all six are None. Jain's index (Jain,
        Chiu & Hawe, DEC-TR-301, 1984) is (Σx)² / (n Σx²): 1 if all are equal, also at 0, down to
        1/n; it is None if a value is negative.

    Raises:
        MedflError: a value is NaN or infinite.
    """
    values = {client: float(v) for client, v in per_client.items() if v is not None}
    wrong = [client for client, v in values.items() if not math.isfinite(v)]
    if wrong:
        raise MedflError(f"metric of client {wrong[0]} is {values[wrong[0]]}, not a finite number")
    result: dict[str, Any] = dict.fromkeys(
        ("mean", "std", "worst", "worst_client", "best", "jain"), None
    )
    if values:
        x = np.array(list(values.values()))
        worst = min(values, key=values.__getitem__)
        result = {
            "mean": float(x.mean()),
            "std": float(x.std()),
            "worst": values[worst],
            "worst_client": worst,
            "best": float(x.max()),
            "jain": _jain(x),
        }
    return result | {"n": len(values), "undefined": [c for c, v in per_client.items() if v is None]}


def _jain(x: np.ndarray) -> float | None:
    if (x < 0).any():
        return None
    largest = x.max()
    if largest == 0:
        return 1.0
    x = x / largest  # so that no square underflows
    return float(x.sum() ** 2 / (len(x) * (x**2).sum()))


def to_target(
    history: Iterable[Mapping[str, Any]], target: float | None, column: str
) -> tuple[int | None, int | None]:
    """First round in which ``column`` reached ``target``, and the bytes moved until then.

    Args:
        history: rows of ``rounds.csv`` in order; a round without evaluation has an empty cell
            (or None, or NaN).
        target: the value to reach; None where there is no target.
        column: the metric; one on validation samples, as nothing may be chosen on the test.

    Returns:
        The round and its ``bytes_total`` (all clients, up and down), or (None, None).
    """
    if target is None:
        return None, None
    for row in history:
        value = row.get(column)
        if value not in (None, "") and float(value) >= target:
            return int(row["round"]), int(row["bytes_total"])
    return None, None
