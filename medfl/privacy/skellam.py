"""Whole numbers at random: Poisson's, and Skellam's, which are the difference of two of them.

Large means: Hörmann, The Transformed Rejection Method for Generating Poisson Random Variables,
Insurance: Mathematics and Economics 12, 1993, algorithm PTRS. Both computations use double
precision, in which probabilities are right to about seven digits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medfl.privacy.draws import uniforms

if TYPE_CHECKING:
    import torch

_SMALL = 10.0
_LONGEST = 128  # a Poisson number of mean 10 is larger with probability 1e-90


def skellam_numbers(
    count: int, variance: float, generator: torch.Generator | None
) -> NDArray[np.int64]:
    """Independent Skellam numbers of mean 0, (count,); None is the system's source."""
    up = poisson_numbers(count, variance / 2, generator)
    return up - poisson_numbers(count, variance / 2, generator)


def poisson_numbers(
    count: int, mean: float, generator: torch.Generator | None
) -> NDArray[np.int64]:
    """Independent Poisson numbers, (count,); None is the system's source."""
    if mean < _SMALL:
        return _by_table(count, mean, generator)
    numbers = np.empty(count, dtype=np.int64)
    left = np.arange(count)
    while len(left):
        drawn, accepted = _transformed(len(left), mean, generator)
        numbers[left[accepted]] = drawn[accepted]
        left = left[~accepted]
    return numbers


def _by_table(count: int, mean: float, generator: torch.Generator | None) -> NDArray[np.int64]:
    ratios = mean / np.arange(1, _LONGEST)
    table = np.cumsum(math.exp(-mean) * np.cumprod(np.concatenate([[1.0], ratios])))
    return np.searchsorted(table, uniforms(count, generator).numpy(), side="right").astype(np.int64)


def _transformed(
    count: int, mean: float, generator: torch.Generator | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Proposals, and which of them are accepted."""
    from scipy.special import gammaln

    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    u = uniforms(count, generator).numpy() - 0.5
    v = 1.0 - uniforms(count, generator).numpy()  # above 0
    inside = 0.5 - np.abs(u)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.floor((2 * a / inside + b) * u + mean + 0.43)
        ratio = np.log(v * inverse_alpha / (a / inside**2 + b))
        density = k * math.log(mean) - mean - gammaln(k + 1)
    possible = np.isfinite(k) & (k >= 0) & ~((inside < 0.013) & (v > inside))
    return k, ((inside >= 0.07) & (v <= v_r)) | (possible & (ratio <= density))
