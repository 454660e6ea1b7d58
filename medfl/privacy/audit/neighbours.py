"""A lower bound on ε from many runs on two neighbouring data sets. Jagielski, Ullman and Oprea,
Auditing Differentially Private Machine Learning, NeurIPS 2020, with the intervals of Clopper and
Pearson.

It finds what moves everybody's numbers at once, such as a sum that is divided by the number of
samples, for which the canaries of one run cannot stand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError

FEWEST_RUNS = 2000
Scores = NDArray[np.float64]


def two_neighbour_epsilon(
    without: Scores, with_one: Scores, delta: float, significance: float
) -> float:
    """The ε that runs on both neighbours refute at level ``significance``; 0 where none.

    An event has probability p with one neighbour and q with the other, and (ε, δ) says
    p ≤ e^ε q + δ. It is "the score is above, or below, a threshold"; every other run chooses which,
    and with which neighbour in which place, and the remaining runs count how often it happens.

    Args:
        without: (k,), a score of each run without the sample.
        with_one: (k,), of each run with it.
        delta: δ.
        significance: the probability with which the bound may be wrong.

    Raises:
        MedflError: there are fewer than ``FEWEST_RUNS`` runs of a neighbour.
    """
    fewest = min(len(without), len(with_one))
    if fewest < FEWEST_RUNS:
        raise MedflError(
            f"an audit by two neighbours needs {FEWEST_RUNS:,} runs of each, and got {fewest:,}."
        )
    best, chosen = 0.0, None
    for swapped in (False, True):
        for sign in (1.0, -1.0):
            first, other = (with_one, without) if swapped else (without, with_one)
            thresholds = np.unique(sign * np.concatenate([without[::2], with_one[::2]]))
            found = _bounds(sign * first[::2], sign * other[::2], thresholds, delta, significance)
            place = int(found.argmax())
            if found[place] > best:
                best, chosen = float(found[place]), (first, other, sign, thresholds[place])
    if chosen is None:
        return 0.0
    first, other, sign, threshold = chosen
    counted = sign * first[1::2], sign * other[1::2], np.array([threshold])
    return float(_bounds(*counted, delta, significance)[0])


def _bounds(
    first: Scores, other: Scores, thresholds: Scores, delta: float, significance: float
) -> Scores:
    """ln((p − δ) / q) for the events that a score is at least each threshold, 0 or more.

    p is a lower bound on its probability for ``first`` and q an upper one for ``other``; each may
    be wrong with half of the significance.
    """
    from scipy.stats import beta

    hits = _at_least(first, thresholds)
    misses = _at_least(other, thresholds)
    level = significance / 2
    # With no hit, and with nothing but hits, the interval ends at 0 and at 1.
    low = np.where(hits > 0, beta.ppf(level, np.maximum(hits, 1), len(first) - hits + 1), 0.0)
    room = np.maximum(len(other) - misses, 1)
    high = np.where(misses < len(other), beta.ppf(1 - level, misses + 1, room), 1.0)
    ratio: Scores = np.log(np.maximum(low - delta, 0.0) / high, where=low > delta, out=low * 0)
    return np.maximum(ratio, 0.0)


def _at_least(scores: Scores, thresholds: Scores) -> NDArray[np.int64]:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")
