"""Metrics of a classifier on one set of samples.

What a set cannot tell is None, never 0 or NaN: all metrics of a class without a sample, and what
needs a negative where there is none. Macro means run over the classes where the metric is
defined; ``averaged_over`` says how many those are and ``undefined`` says why others are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medfl.errors import MedflError
from medfl.metrics.calibration import expected_calibration_error, log_loss

Array = NDArray[Any]
PER_CLASS = ("auc", "sensitivity", "specificity", "precision", "f1")
BRIEF = ("accuracy", "balanced_accuracy", "auc_macro", "log_loss")
OVERALL = (*BRIEF[:3], *(f"{m}_macro" for m in PER_CLASS[1:]), "kappa", "ece", "log_loss")
THRESHOLD = 0.5


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    task: Literal["multiclass", "multilabel"] = "multiclass",
    brief: bool = False,
) -> dict[str, Any]:
    """Compute all metrics of one set of samples.

    Multiclass: the most probable class is predicted; balanced accuracy is the mean sensitivity of
    the classes present; the calibration error is that of the predicted class. Multilabel: a label
    is predicted from 0.5; accuracy is the mean over labels (``subset_accuracy``: all labels of a
    sample right), balanced accuracy, kappa and calibration error are means over labels too.
    A class that is present but never predicted has precision 0, as in scikit-learn; leaving it
    out would reward a model that only knows the majority. It is listed in ``undefined`` as well.

    Args:
        probabilities: (N, K), of each class; rows sum to 1 if multiclass.
        labels: (N,) class indices if multiclass, else (N, K) of 0 and 1.
        classes: the K names.
        task: which of the two.
        brief: only ``n``, accuracy, balanced accuracy, macro AUC and log loss.

    Raises:
        MedflError: NaN or other values that are no probabilities, labels that are none of the
            classes, or shapes that do not agree.
    """
    p, y = _checked(probabilities, labels, len(classes), task)
    if len(p) == 0:
        return _empty(classes, task, brief)
    counts, overall = (_multiclass if task == "multiclass" else _multilabel)(p, y, brief)
    truth = y[:, None] == np.arange(len(classes)) if task == "multiclass" else y.astype(bool)
    auc = np.array([roc_auc(p[:, k], truth[:, k]) for k in range(len(classes))])
    if brief:
        overall["auc_macro"] = _mean(auc)
        return {"n": len(p)} | {name: _plain(overall[name]) for name in BRIEF}

    columns = {"auc": auc, **counts.rates()}
    overall |= {f"{metric}_macro": _mean(columns[metric]) for metric in PER_CLASS}
    names = ["accuracy"] + ["subset_accuracy"] * (task == "multilabel") + list(OVERALL[1:])
    result: dict[str, Any] = {"n": len(p)} | {name: _plain(overall[name]) for name in names}
    result["averaged_over"] = {
        f"{metric}_macro": int(np.isfinite(columns[metric]).sum()) for metric in PER_CLASS
    }
    result["per_class"] = {
        name: {"n": int(counts.positives[k])} | {m: _plain(columns[m][k]) for m in PER_CLASS}
        for k, name in enumerate(classes)
    }
    result["undefined"] = counts.undefined(classes)
    if overall["kappa"] is None or np.isnan(overall["kappa"]):
        result["undefined"].append("kappa: no two classes to tell apart")
    if task == "multiclass":
        result["confusion"] = overall["confusion"].tolist()
    return result


def roc_auc(scores: Array, positive: Array) -> float:
    """Area under the ROC curve: P(positive's score > negative's) + P(equal) / 2.

    The Mann-Whitney form (Hanley & McNeil, Radiology 143, 1982). NaN if ``positive`` (n,) of bool
    is all true or all false.
    """
    above, below = scores[positive], np.sort(scores[~positive])
    if len(above) == 0 or len(below) == 0:
        return float("nan")
    less = np.searchsorted(below, above, "left").sum()
    less_or_equal = np.searchsorted(below, above, "right").sum()
    return float((less + less_or_equal) / (2 * len(above) * len(below)))


@dataclass(frozen=True)
class _Counts:
    """One-vs-rest counts by class, each (K,)."""

    n: int
    hits: Array
    positives: Array
    predicted: Array

    def rates(self) -> dict[str, Array]:
        """Rates (K,) by name; NaN where undefined."""
        negatives = self.n - self.positives
        right_negatives = negatives - self.predicted + self.hits
        present = self.positives > 0
        return {
            "sensitivity": _ratio(self.hits, self.positives, present),
            "specificity": _ratio(right_negatives, negatives, present),
            "precision": _ratio(self.hits, np.maximum(self.predicted, 1), present),
            "f1": _ratio(2 * self.hits, self.positives + self.predicted, present),
        }

    def kappas(self) -> Array:
        """Cohen's kappa (K,) of each class against the rest; NaN unless both have samples."""
        wrong = self.positives + self.predicted - 2 * self.hits
        chance = self.positives * (self.n - self.predicted)
        chance = chance + self.predicted * (self.n - self.positives)
        both = (self.positives > 0) & (self.positives < self.n)
        return 1 - _ratio(self.n * wrong, chance, both)

    def undefined(self, classes: Sequence[str]) -> list[str]:
        reasons = []
        for name, positives, predicted in zip(classes, self.positives, self.predicted, strict=True):
            if positives == 0:
                reasons.append(f"{name}: no sample")
            elif positives == self.n:
                reasons.append(f"{name}: auc and specificity, as all samples have it")
            if positives > 0 and predicted == 0:
                reasons.append(f"{name}: precision, as it was never predicted (counted as 0)")
        return reasons


def _multiclass(p: Array, y: Array, brief: bool) -> tuple[_Counts, dict[str, Any]]:
    n, k = p.shape
    guess = p.argmax(axis=1)
    confusion = np.bincount(y * k + guess, minlength=k * k).reshape(k, k)
    counts = _Counts(n, np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0))
    hits = int(counts.hits.sum())
    overall: dict[str, Any] = {
        "accuracy": hits / n,
        "balanced_accuracy": _mean(_ratio(counts.hits, counts.positives)),
        "log_loss": log_loss(p[np.arange(n), y]),
    }
    if not brief:
        chance = int(counts.positives @ counts.predicted)  # n² times the expected agreement
        overall["kappa"] = (n * hits - chance) / (n * n - chance) if chance < n * n else None
        overall["ece"] = expected_calibration_error(p[np.arange(n), guess], guess == y)
        overall["confusion"] = confusion
    return counts, overall


def _multilabel(p: Array, y: Array, brief: bool) -> tuple[_Counts, dict[str, Any]]:
    n, k = p.shape
    truth, guess = y.astype(bool), p >= THRESHOLD
    counts = _Counts(n, (truth & guess).sum(axis=0), truth.sum(axis=0), guess.sum(axis=0))
    rates = counts.rates()
    right = truth == guess
    overall: dict[str, Any] = {
        "accuracy": right.mean(),
        "balanced_accuracy": _mean((rates["sensitivity"] + rates["specificity"]) / 2),
        "log_loss": log_loss(np.where(truth, p, 1 - p)),
    }
    if not brief:
        overall["subset_accuracy"] = right.all(axis=1).mean()
        overall["kappa"] = _mean(counts.kappas())
        errors = [expected_calibration_error(p[:, j], truth[:, j]) for j in range(k)]
        overall["ece"] = float(np.mean(errors))
    return counts, overall


def _ratio(top: Array, bottom: Array, where: Array | bool = True) -> Array:
    """``top / bottom``, NaN where ``bottom`` is 0 or ``where`` is false."""
    nothing = np.full(np.shape(bottom), np.nan)
    return np.divide(top, bottom, out=nothing, where=(bottom != 0) & where)


def _mean(values: Array) -> float | None:
    """Mean of the defined values; None if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None


def _plain(value: Any) -> float | None:
    """A JSON number, or null for undefined."""
    return None if value is None or np.isnan(value) else float(value)


def _empty(classes: Sequence[str], task: str, brief: bool) -> dict[str, Any]:
    if brief:
        return {"n": 0} | dict.fromkeys(BRIEF)
    subset = {"subset_accuracy": None} if task == "multilabel" else {}
    result: dict[str, Any] = {"n": 0} | dict.fromkeys(OVERALL) | subset
    result["averaged_over"] = {f"{metric}_macro": 0 for metric in PER_CLASS}
    result["per_class"] = {name: {"n": 0} | dict.fromkeys(PER_CLASS) for name in classes}
    result["undefined"] = ["all metrics: there is no sample"]
    if task == "multiclass":
        result["confusion"] = [[0] * len(classes) for _ in classes]
    return result


def _checked(probabilities: ArrayLike, labels: ArrayLike, k: int, task: str) -> tuple[Array, Array]:
    """Arrays of one agreed shape, or a ``MedflError``."""
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
