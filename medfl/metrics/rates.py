"""Metrics of a record that follow from counts of samples, or from the order of their scores.

They are what scikit-learn gives, to the last digit, as a test says. They are written out because
its import takes longer than many a run trains, and its checks of each class longer than the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medfl.metrics.inputs import Array


def class_rates(truth: Array, chosen: Array) -> dict[str, Array]:
    """Sensitivity, specificity, precision and F1 of each class against the rest.

    Args:
        truth: (n, K) booleans: who has which class.
        chosen: (n, K) booleans: who is said to.

    Returns:
        Metric → (K,); NaN for a class without a sample, and specificity's where all have it.
    """
    positives, said = truth.sum(axis=0), chosen.sum(axis=0)
    negatives, present = len(truth) - positives, positives > 0
    found, rejected = (truth & chosen).sum(axis=0), (~truth & ~chosen).sum(axis=0)
    return {
        "sensitivity": _share(found, positives, present),
        "specificity": _share(rejected, negatives, present & (negatives > 0)),
        "precision": _share(found, np.maximum(said, 1), present),
        "f1": _share(2 * found, positives + said, present),
    }


def cohens_kappa(truth: Array, chosen: Array) -> float:
    """Cohen's kappa (Educ. Psychol. Meas. 20, 1960): 1 - wrong / wrong by chance; NaN for 0 / 0.

    Args:
        truth: (n, K) booleans, of which one a row is true: the class of each sample.
        chosen: (n, K) booleans likewise: the class that it is said to have.
    """
    seen = truth.any(axis=0) | chosen.any(axis=0)
    counts = (truth[:, seen].T.astype(float) @ chosen[:, seen]).astype(float)
    expected = np.outer(counts.sum(axis=0), counts.sum(axis=1)) / counts.sum()
    others = 1 - np.eye(len(counts))
    chance = (others * expected).sum()
    return float(1 - (others * counts).sum() / chance) if chance > 0 else float("nan")


def roc_area(scores: Array, positive: Array) -> float:
    """Area under the ROC curve by the trapezoidal rule (Fawcett, Pattern Recognit. Lett. 27, 2006).

    Args:
        scores: (n,) one of each sample.
        positive: (n,) booleans.

    Returns:
        The area; NaN where all are positive, or none.
    """
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of those that are tied
    hits = np.cumsum(positive)[last]
    alarms = 1 + last - hits
    if not hits[-1] or not alarms[-1]:
        return float("nan")
    if len(last) > 2:  # corners alone: what lies on a line between them rounds otherwise
        corner = (np.diff(alarms, 2) != 0) | (np.diff(hits, 2) != 0)
        kept = np.flatnonzero(np.concatenate([[True], corner, [True]]))
        hits, alarms = hits[kept], alarms[kept]
    hits, alarms = np.append(0.0, hits), np.append(0.0, alarms)
    return float(np.trapezoid(hits / hits[-1], alarms / alarms[-1]))


def _share(some: Any, of: Array, defined: Array) -> Array:
    """One number ÷ the other where that is defined, else NaN."""
    shares: Array = np.full(of.shape, np.nan)
    np.divide(some, of, out=shares, where=defined)
    return shares
