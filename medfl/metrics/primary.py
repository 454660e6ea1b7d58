"""The headline metric, and what it is worth where no image is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.metrics.inputs import Array


def primary_metric(word: str, task: str) -> str:
    """The metric that a configuration means: ``auto`` is a choice by the task.

    Balanced accuracy for one class an image: accuracy is what "always the commonest class" scores.
    Macro AUC where an image may have several labels: most labels are rare, and no threshold of 0.5
    suits them all.
    """
    if word != "auto":
        return word
    return "auc_macro" if task == "multilabel" else "balanced_accuracy"


def class_shares(labels: Array, classes: int, task: str) -> NDArray[np.float64]:
    """The share of samples of each class (K,), as a constant answer that needs no image.

    Judged by any metric, this answer is its line of reference: the majority class for accuracy, 1/K
    for balanced accuracy over K classes, 0.5 for AUC, 0 for kappa.

    Args:
        labels: (n,) class indices, n ≥ 1; or (n, K) of 0 and 1 where ``task`` is multilabel.
        classes: K.
        task: ``multiclass`` or ``multilabel``.
    """
    if task == "multilabel":
        shares: Any = labels.mean(axis=0, dtype=np.float64)
    else:
        shares = np.bincount(labels, minlength=classes) / len(labels)
    return np.asarray(shares, dtype=np.float64)
