"""The input of every metric of a classifier: probabilities and labels that agree."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medfl.errors import MedflError
from medfl.results.columns import CLIENTS, columns_in

Array = NDArray[Any]
Task = Literal["multiclass", "multilabel"]
# The metrics of clients.csv: its other columns are neither better nor worse by their value.
BRIEF = tuple(column.name for column in columns_in(CLIENTS) if column.direction)
"""The metrics that are computed wherever a run is looked at; any but the last may be primary."""
THRESHOLD = 0.5  # multi-label: a label of at least this probability counts as predicted


def checked(probabilities: ArrayLike, labels: ArrayLike, k: int, task: str) -> tuple[Array, Array]:
    """Probabilities (n, k) and labels as arrays of one agreed shape, or a ``MedflError``."""
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if task not in ("multiclass", "multilabel"):
        raise MedflError(f"task is `{task}`; it must be multiclass or multilabel")
    multilabel = task == "multilabel"
    if p.ndim != 2 or p.shape[1] != k or y.shape != (p.shape if multilabel else p.shape[:1]):
        raise MedflError(
            f"metrics of {k} classes ({task}): probabilities have shape {p.shape} and labels "
            f"{y.shape}; needed are (n, {k}) and {f'(n, {k})' if multilabel else '(n,)'}"
        )
    if len(p) == 0:
        return p, y
    if not np.isfinite(p).all():
        raise MedflError("probabilities hold NaN or infinity: the model has diverged")
    if p.min() < 0 or p.max() > 1 + 1e-6:
        raise MedflError(
            f"probabilities lie in [{p.min():g}, {p.max():g}]: pass softmax or sigmoid values"
        )
    if not multilabel and np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise MedflError("probabilities of a sample do not sum to 1: pass softmax values")
    limit = 2 if multilabel else k
    if not np.issubdtype(y.dtype, np.integer) and y.dtype != bool:
        raise MedflError(f"labels are {y.dtype}, not integers")
    if y.min() < 0 or y.max() >= limit:
        raise MedflError(f"labels lie in [{y.min()}, {y.max()}], outside 0 to {limit - 1}")
    return p, y.astype(np.int64)


def mean_of_defined(values: Array) -> float | None:
    """Mean of the values that are not NaN; None if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None


def number_or_none(value: Any) -> float | None:
    """A Python number, or None where the metric is undefined."""
    return None if value is None or np.isnan(value) else float(value)
