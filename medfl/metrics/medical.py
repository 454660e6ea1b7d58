"""Metrics of a classifier on one set of samples, as they stand in a run's record.

scikit-learn computes what is more than one division of two counts; the calibration error is
computed here. A metric that the set of samples leaves undefined is None, never 0 or NaN. So are all
metrics of a class without a sample, and those that need samples of other classes where there are
none. Macro means run over the classes where the metric is defined; ``averaged_over`` says how many
those are, and ``undefined`` says why the others are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.metrics.calibration import expected_calibration_error
from medfl.metrics.inputs import (
    BRIEF,
    THRESHOLD,
    Array,
    Task,
    checked,
    mean_of_defined,
    number_or_none,
)

PER_CLASS = ("auc", "sensitivity", "specificity", "precision", "f1")
OVERALL = (
    *("accuracy", "balanced_accuracy", "auc_macro"),
    *(f"{metric}_macro" for metric in PER_CLASS[1:]),
    *("kappa", "ece", "log_loss"),
)


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
    numbers = np.arange(len(classes))
    multiclass = task == "multiclass"
    truth = y[:, None] == numbers if multiclass else y.astype(bool)
    chosen = p.argmax(axis=1)[:, None] == numbers if multiclass else p >= THRESHOLD
    from sklearn import config_context

    # What comes in is checked above; scikit-learn would do so for each metric of each class.
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
        # It warns where a metric is undefined; `undefined` says it instead.
        warnings.simplefilter("ignore")
        columns = _per_class(p, truth, chosen, ("auc", "f1") if brief else PER_CLASS)
        overall = (_multiclass if multiclass else _multilabel)(p, truth, chosen, brief)
    overall |= {f"{metric}_macro": mean_of_defined(columns[metric]) for metric in columns}
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


def _per_class(p: Array, truth: Array, chosen: Array, metrics: Sequence[str]) -> dict[str, Array]:
    """Metric → its values (K,), each class against the rest; NaN where it is undefined."""
    from sklearn.metrics import roc_auc_score

    columns = {metric: np.full(truth.shape[1], np.nan) for metric in metrics}
    positives, said = truth.sum(axis=0), chosen.sum(axis=0)
    negatives = len(truth) - positives
    found, rejected = (truth & chosen).sum(axis=0), (~truth & ~chosen).sum(axis=0)
    shares = {
        "sensitivity": (found, positives, positives > 0),
        "specificity": (rejected, negatives, (positives > 0) & (negatives > 0)),
        "precision": (found, np.maximum(said, 1), positives > 0),
        "f1": (2 * found, positives + said, positives > 0),
    }
    for metric in shares.keys() & columns.keys():
        right, of, defined = shares[metric]
        np.divide(right, of, out=columns[metric], where=defined)
    for k in np.flatnonzero((positives > 0) & (negatives > 0)):
        columns["auc"][k] = roc_auc_score(truth[:, k], p[:, k])
    return columns


def _multiclass(p: Array, truth: Array, chosen: Array, brief: bool) -> dict[str, Any]:
    from sklearn import metrics as sk

    y, guess, k = truth.argmax(axis=1), chosen.argmax(axis=1), p.shape[1]
    overall: dict[str, Any] = {
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess),
        # scikit-learn refuses the log loss of a single class, which is always certain.
        "log_loss": sk.log_loss(y, p, labels=range(k)) if k > 1 else 0.0,
        "kappa": sk.cohen_kappa_score(y, guess),
    }
    if not brief:
        overall["ece"] = expected_calibration_error(p[np.arange(len(p)), guess], guess == y)
        overall["confusion"] = sk.confusion_matrix(y, guess, labels=range(k))
    return overall


def _multilabel(p: Array, truth: Array, chosen: Array, brief: bool) -> dict[str, Any]:
    from sklearn import metrics as sk

    labels = range(truth.shape[1])
    told = [k for k in labels if truth[:, k].any() and not truth[:, k].all()]
    flat = p.ravel()
    overall: dict[str, Any] = {
        "accuracy": sk.accuracy_score(truth.ravel(), chosen.ravel()),
        "balanced_accuracy": _mean(
            sk.balanced_accuracy_score(truth[:, k], chosen[:, k]) for k in told
        ),
        "log_loss": sk.log_loss(
            truth.ravel(), np.stack([1 - flat, flat], axis=1), labels=[False, True]
        ),
        "kappa": _mean(sk.cohen_kappa_score(truth[:, k], chosen[:, k]) for k in told),
    }
    if not brief:
        overall["subset_accuracy"] = sk.accuracy_score(truth, chosen)
        overall["ece"] = _mean(expected_calibration_error(p[:, k], truth[:, k]) for k in labels)
    return overall


def _mean(values: Iterable[float]) -> float | None:
    return mean_of_defined(np.array(list(values), dtype=float))


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
