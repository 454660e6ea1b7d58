"""The metrics that a run looks at after every few rounds, while it trains.

They are written out here because importing scikit-learn takes longer than many a run trains. They
give what ``medical.evaluate(…, brief=True)`` gives, up to the last digit; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.metrics.calibration import log_loss
from medfl.metrics.inputs import (
    BRIEF,
    THRESHOLD,
    Array,
    Task,
    checked,
    mean_of_defined,
    number_or_none,
)


def evaluate_quickly(
    probabilities: ArrayLike, labels: ArrayLike, classes: Sequence[str], task: Task = "multiclass"
) -> dict[str, Any]:
    """``n`` and the metrics of ``BRIEF`` of one set of samples.

    Arguments, conventions and errors are those of ``medical.evaluate``.
    """
    p, y = checked(probabilities, labels, len(classes), task)
    n, k = p.shape
    if n == 0:
        return {"n": 0} | dict.fromkeys(BRIEF)
    if task == "multiclass":
        guess, numbers = p.argmax(axis=1), np.arange(k)
        truth, chosen = y[:, None] == numbers, guess[:, None] == numbers
        hits = int((guess == y).sum())
        found = {
            "accuracy": hits / n,
            "balanced_accuracy": mean_of_defined(_sensitivity(truth, chosen)),
            "kappa": _kappa(n, n - hits, [truth.sum(axis=0) @ chosen.sum(axis=0)])[0],
            "log_loss": log_loss(p[np.arange(n), y]),
        }
    else:
        truth, chosen = y.astype(bool), p >= THRESHOLD
        both = (_sensitivity(truth, chosen) + _sensitivity(~truth, ~chosen)) / 2
        told = truth.any(axis=0) & ~truth.all(axis=0)
        alike = truth.sum(axis=0) * chosen.sum(axis=0)
        alike += (~truth).sum(axis=0) * (~chosen).sum(axis=0)
        kappa = _kappa(n, (truth != chosen).sum(axis=0), alike)
        found = {
            "accuracy": (truth == chosen).mean(),
            "balanced_accuracy": mean_of_defined(both),
            "kappa": mean_of_defined(np.where(told, kappa, np.nan)),
            "log_loss": log_loss(np.where(truth, p, 1 - p)),
        }
    positives, said = truth.sum(axis=0), chosen.sum(axis=0)
    f1 = np.full(k, np.nan)
    np.divide(2 * (truth & chosen).sum(axis=0), positives + said, out=f1, where=positives > 0)
    found["f1_macro"] = mean_of_defined(f1)
    found["auc_macro"] = mean_of_defined(
        np.array([roc_auc(p[:, j], truth[:, j]) for j in range(k)])
    )
    return {"n": n} | {name: number_or_none(found[name]) for name in BRIEF}


def _kappa(n: int, wrong: Any, alike: Any) -> Array:
    """Cohen's kappa (Educ. Psychol. Meas. 20, 1960): 1 - wrong / wrong by chance; NaN for 0 / 0.

    Args:
        n: samples.
        wrong: (L,) how many of them are answered wrongly.
        alike: (L,) sum over classes of samples that have it × samples that are said to.
    """
    chance = n - np.asarray(alike) / n
    shares: Array = np.full(chance.shape, np.nan)
    np.divide(wrong, chance, out=shares, where=chance > 0)
    return 1 - shares


def _sensitivity(truth: Array, chosen: Array) -> Array:
    """Which share of each class's samples was found, (K,); NaN for a class without a sample."""
    positives = truth.sum(axis=0)
    shares: Array = np.full(len(positives), np.nan)
    np.divide((truth & chosen).sum(axis=0), positives, out=shares, where=positives > 0)
    return shares


def roc_auc(scores: Array, positive: Array) -> float:
    """Area under the ROC curve: P(positive's score > negative's) + P(equal) / 2.

    The Mann-Whitney form (Hanley & McNeil, Radiology 143, 1982). It is NaN if the booleans
    ``positive`` (n,) are all true or all false.
    """
    above, below = scores[positive], np.sort(scores[~positive])
    if len(above) == 0 or len(below) == 0:
        return float("nan")
    less = np.searchsorted(below, above, "left").sum()
    less_or_equal = np.searchsorted(below, above, "right").sum()
    return float((less + less_or_equal) / (2 * len(above) * len(below)))
