"""Metrics that only a federation has: the spread over clients, and the cost of a target."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.metrics.interval import LEVEL, Proportion

WORST = ("worst", "worst_client", "worst_n_test", "worst_patients", "worst_low", "worst_high")


def fairness(
    per_client: Mapping[str, Proportion],
    min_samples: int = 1,
    min_patients: int = 1,
    unpublished: Collection[str] = (),
) -> dict[str, Any]:
    """How accuracy is spread over the clients that have enough test samples.

    A client with few samples may be the worst one, or far from the others, by luck alone: with
    equal accuracies everywhere, spread and worst client would follow the sizes of the test sets.

    Args:
        per_client: accuracy on test samples by client.
        min_samples: test samples that a client needs to take part.
        min_patients: patients from whom these must come.
        unpublished: clients of which no number is published. They take no part either: from the
            mean, the spread and the others' numbers theirs would follow.

    Returns:
        ``mean``, ``std`` (of the population), ``worst``, ``worst_client`` (the first of equals)
        with its ``worst_n_test`` and ``worst_patients``, ``best`` and ``jain``, over the ``n``
        clients with enough samples. ``left_out`` has the others: client → test samples. If no
        client has enough, the numbers are None and ``reason`` says so.

        ``worst_low`` and ``worst_high`` are the worst client's interval. Its level is
        1 − 0.05 / n (Bonferroni), so that the intervals of all n clients hold together: the worst
        one was picked after looking. They are None where it has one patient.

        Jain's index (Jain, Chiu & Hawe, DEC-TR-301, 1984) is (Σx)² / (n Σx²): 1 if all are equal,
        also at 0, down to 1/n.

    Raises:
        MedflError: a value is NaN or infinite.
    """
    values: dict[str, float] = {}
    left_out: dict[str, int] = {}
    for client, share in per_client.items():
        if share.value is not None and not math.isfinite(share.value):
            raise MedflError(f"metric of client {client} is {share.value}, not a finite number")
        few = share.n < min_samples or share.patients < min_patients
        if share.value is None or few or client in unpublished:
            left_out[client] = share.n
        else:
            values[client] = float(share.value)
    result: dict[str, Any] = dict.fromkeys(("mean", "std", *WORST, "best", "jain", "reason"))
    if values:
        x = np.array(list(values.values()))
        worst = min(values, key=values.__getitem__)
        judged = per_client[worst]
        low, high = judged.interval(1 - (1 - LEVEL) / len(values))
        of_worst = (values[worst], worst, judged.n, judged.patients, low, high)
        result |= {
            "mean": float(x.mean()),
            "std": float(x.std()),
            **dict(zip(WORST, of_worst, strict=True)),
            "best": float(x.max()),
            "jain": _jain(x),
        }
    else:
        who = "no client whose numbers are published has" if unpublished else "no client has"
        result["reason"] = f"{who} {enough(min_samples, min_patients)}"
    return result | {
        "metric": "accuracy",
        "min_test_samples": min_samples,
        "min_test_patients": min_patients,
        "n": len(values),
        "left_out": left_out,
    }


def enough(min_samples: int, min_patients: int) -> str:
    """``at least 10 test samples of at least 2 patients``."""
    words = f"at least {min_samples} test sample{'s' * (min_samples > 1)}"
    return words + (f" of at least {min_patients} patients" if min_patients > 1 else "")


def _jain(x: np.ndarray) -> float:
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
