"""How far probabilities can be believed: calibration error and log loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """Gap between confidence and accuracy, averaged over the samples (from 0 to 1).

    The gap is measured in bins of equal width, (i/15, (i+1)/15]; Guo et al., "On Calibration of
    Modern Neural Networks", ICML 2017, eq. 3.

    Args:
        confidence: (n,) probabilities of the predicted classes, n ≥ 1.
        correct: (n,) whether the prediction is right.
        bins: how many bins.
    """
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(index, confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def log_loss(probability: NDArray[np.float64]) -> float:
    """Mean negative logarithm (nats) of the probabilities (n,) of the true classes, n ≥ 1.

    A probability of 0 counts as 2⁻⁵², as in scikit-learn.
    """
    return float(-np.log(np.maximum(probability, np.finfo(np.float64).eps)).mean())
