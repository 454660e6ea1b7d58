"""Metrics of a classifier on one set of samples, as they stand in a run's record.

A metric that the set of samples leaves undefined is None, never 0 or NaN. So are all metrics of a
class without a sample, and those that need samples of other classes where there are none. Macro
means run over the classes where the metric is defined; ``averaged_over`` says how many those are,
and ``undefined`` says why the others are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.metrics.calibration import expected_calibration_error, log_loss
from medfl.metrics.inputs import (
    BRIEF,
    THRESHOLD,
    Array,
    Task,
    checked,
    mean_of_defined,
    number_or_none,
)
from medfl.metrics.rates import class_rates, cohens_kappa, roc_area

PER_CLASS = ("auc", "sensitivity", "specificity", "precision", "f1")
OVERALL = (
    *("accuracy", "balanced_accuracy", "auc_macro"),
    *(f"{metric}_macro" for metric in PER_CLASS[1:]),
    *("kappa", "ece", "log_loss"),
)

CERTAIN = 1 - np.finfo(np.float64).eps  # the most that log loss believes, as in scikit-learn


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    task: Task = "multiclass",
    brief: bool = False,
) -> dict[str, Any]:
    """Compute all metrics of one set of samples.

    Multiclass: the most probable class is predicted; balanced accuracy is the mean sensitivity of
    the classes present; the calibration error is that of the predicted class. Multilabel: a label
    is predicted from 0.5 on; accuracy is the mean over labels (``subset_accuracy``: all labels of a
    sample right), balanced accuracy, kappa and calibration error are means over labels too.
    A class that is present but never predicted has precision 0, as in scikit-learn; leaving it
    out would reward a model that only knows the majority. It is listed in ``undefined`` as well.

    Args:
        probabilities: (N, K), one column per class; rows sum to 1 if multiclass.
        labels: (N,) class indices if multiclass, else (N, K) of 0 and 1.
        classes: the K names.
        task: which of the two kinds of labels.
        brief: compute only ``n`` and the metrics of ``BRIEF``.

    Raises:
        MedflError: values are NaN or no probabilities, labels are none of the classes, or shapes
            do not agree.
    """
    p, y = checked(probabilities, labels, len(classes), task)
    if len(p) == 0:
        return _empty(classes, task, brief)
    multiclass = task == "multiclass"
    if multiclass:
        numbers = np.arange(len(classes))
        truth, chosen = y[:, None] == numbers, p.argmax(axis=1)[:, None] == numbers
    else:
        truth, chosen = y.astype(bool), p >= THRESHOLD
    columns = class_rates(truth, chosen)
    columns["auc"] = np.array([roc_area(p[:, k], truth[:, k]) for k in range(len(classes))])
    overall = (_multiclass if multiclass else _multilabel)(p, truth, chosen, brief)
    overall |= {f"{metric}_macro": mean_of_defined(columns[metric]) for metric in PER_CLASS}
    if brief:
        return {"n": len(p)} | {name: number_or_none(overall[name]) for name in BRIEF}

    names = ["accuracy"] + ["subset_accuracy"] * (not multiclass) + list(OVERALL[1:])
    result: dict[str, Any] = {"n": len(p)} | {name: number_or_none(overall[name]) for name in names}
    told = truth.any(axis=0) if multiclass else truth.any(axis=0) & ~truth.all(axis=0)
    result["averaged_over"] = {"balanced_accuracy": int(told.sum())} | {
        f"{metric}_macro": int(np.isfinite(columns[metric]).sum()) for metric in PER_CLASS
    }
    result["per_class"] = {
        name: {"n": int(truth[:, k].sum())} | {m: number_or_none(columns[m][k]) for m in PER_CLASS}
        for k, name in enumerate(classes)
    }
    result["undefined"] = _undefined(classes, truth, chosen)
    if result["kappa"] is None:
        result["undefined"].append("kappa: no two classes to tell apart")
    if multiclass:
        result["confusion"] = overall["confusion"].tolist()
    return result


def _multiclass(p: Array, truth: Array, chosen: Array, brief: bool) -> dict[str, Any]:
    overall: dict[str, Any] = {
        "accuracy": truth[chosen].mean(),
        "balanced_accuracy": mean_of_defined(class_rates(truth, chosen)["sensitivity"]),
        "kappa": cohens_kappa(truth, chosen),
        "log_loss": log_loss(np.minimum(p[truth], CERTAIN)) if p.shape[1] > 1 else 0.0,
    }
    if not brief:
        overall["ece"] = expected_calibration_error(p[chosen], truth[chosen])
        overall["confusion"] = truth.T.astype(np.int64) @ chosen
    return overall


def _multilabel(p: Array, truth: Array, chosen: Array, brief: bool) -> dict[str, Any]:
    told = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
    both = class_rates(truth, chosen)["sensitivity"] + class_rates(~truth, ~chosen)["sensitivity"]
    pairs = [[np.stack([~one[:, k], one[:, k]], axis=1) for one in (truth, chosen)] for k in told]
    overall: dict[str, Any] = {
        "accuracy": (truth == chosen).mean(),
        "balanced_accuracy": mean_of_defined(both / 2),
        "kappa": mean_of_defined(np.array([cohens_kappa(*pair) for pair in pairs])),
        "log_loss": log_loss(np.minimum(np.where(truth, p, 1 - p), CERTAIN)),
    }
    if not brief:
        overall["subset_accuracy"] = (truth == chosen).all(axis=1).mean()
        overall["ece"] = mean_of_defined(
            np.array([expected_calibration_error(*pair) for pair in zip(p.T, truth.T, strict=True)])
        )
    return overall


def _undefined(classes: Sequence[str], truth: Array, chosen: Array) -> list[str]:
    """Say in words which metrics of which classes the set of samples leaves undefined."""
    reasons = []
    for k, name in enumerate(classes):
        if not truth[:, k].any():
            reasons.append(f"{name}: no sample")
        elif truth[:, k].all():
            reasons.append(f"{name}: auc and specificity, as all samples have it")
        if truth[:, k].any() and not chosen[:, k].any():
            reasons.append(f"{name}: precision, as it was never predicted (counted as 0)")
    return reasons


def _empty(classes: Sequence[str], task: str, brief: bool) -> dict[str, Any]:
    if brief:
        return {"n": 0} | dict.fromkeys(BRIEF)
    subset = {"subset_accuracy": None} if task == "multilabel" else {}
    result: dict[str, Any] = {"n": 0} | dict.fromkeys(OVERALL) | subset
    averaged = ("balanced_accuracy", *(f"{metric}_macro" for metric in PER_CLASS))
    result["averaged_over"] = dict.fromkeys(averaged, 0)
    result["per_class"] = {name: {"n": 0} | dict.fromkeys(PER_CLASS) for name in classes}
    result["undefined"] = ["all metrics: there is no sample"]
    if task == "multiclass":
        result["confusion"] = [[0] * len(classes) for _ in classes]
    return result
