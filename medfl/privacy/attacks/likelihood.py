"""Membership inference by likelihood ratio (LiRA). Carlini, Chien, Nasr, Song, Terzis and Tramèr,
Membership Inference Attacks From First Principles, IEEE S&P 2022, algorithm 1 and section VI.

Shadow federations are trained on random halves of the same people. The attacker compares what a
target's model says of an image with what shadow models say that saw it, and that did not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medfl.metrics.inputs import Array
from medfl.privacy.attacks.roc import Flags

LEAST = 1e-9
"""A smallest variance, so that models which all say the same make no division by zero."""


def confidence(probabilities: Array, labels: NDArray[np.int64]) -> Array:
    """Log odds of the true class, log p/(1 − p), (n,): nearly normal over shadow models.

    Args:
        probabilities: (n, K), of all classes.
        labels: (n,), the true classes.
    """
    rows = np.arange(len(labels))
    right = probabilities[rows, labels]
    wrong = probabilities.copy()
    wrong[rows, labels] = 0.0  # 1 − p would be 0 where p rounds to 1
    tiny = np.finfo(np.float64).tiny
    odds: Array = np.log(np.maximum(right, tiny)) - np.log(np.maximum(wrong.sum(axis=1), tiny))
    return odds


def likelihood_ratios(scores: Array, member: Flags, online: bool) -> Array:
    """How much each score speaks for membership, (S, n): each federation in turn is the target.

    The others are its shadows. With few of them a mean is taken for each sample, and one variance
    for all samples (the paper's section VI-C); members and others have one each.

    Args:
        scores: (S, n), what federation s says of sample i, such as ``confidence``.
        member: (S, n), whether it was trained on that sample.
        online: compare the densities of both; else ask how unlikely the score is for a non-member,
            which needs no shadow model of which the sample is a member.

    Returns:
        The log of the ratio, or offline the score's distance from non-members in deviations; NaN
        where no shadow model has what is needed.
    """
    found = np.full(scores.shape, np.nan)
    for target in range(len(scores)):
        others = np.arange(len(scores)) != target
        outside, spread_out = _normal(scores[others], ~member[others])
        now = scores[target]
        if not online:
            found[target] = (now - outside) / np.sqrt(spread_out)
            continue
        inside, spread_in = _normal(scores[others], member[others])
        found[target] = (
            0.5 * (np.log(spread_out) - np.log(spread_in))
            - (now - inside) ** 2 / (2 * spread_in)
            + (now - outside) ** 2 / (2 * spread_out)
        )
    return found


def _normal(scores: Array, which: Flags) -> tuple[Array, float]:
    """The mean of each sample over chosen entries, (n,), and the variance pooled over samples."""
    counts = which.sum(axis=0)
    total = np.where(which, scores, 0.0).sum(axis=0)
    mean = np.divide(total, counts, out=np.full(scores.shape[1], np.nan), where=counts > 0)
    squares = float((np.where(which, scores - np.nan_to_num(mean), 0.0) ** 2).sum())
    freedom = int(counts.sum() - (counts > 0).sum())
    return mean, max(squares / max(freedom, 1), LEAST)
