"""Differences between arms that are each trained with several seeds and judged on patients.

The design is what radiology calls multi-reader multi-case: arms are modalities, seeds readers,
patients cases. Where all seeds share their test patients, the variance of a difference has two
parts, as in Obuchowski & Rockette (Communications in Statistics B 24, 1995): what another seed
would change, estimated by the mean square of arm × seed, and what other patients would change,
estimated by covariances between runs over a jackknife of the patients. Where each seed draws its
test patients, the mean square has both, and the corrected variance of Nadeau & Bengio (Mach. Learn.
52, 2003) allows for the overlap of training samples.

All functions take any number of leading dimensions, so that thousands of simulated grids are
computed as fast as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from medfl.metrics.inputs import Array

NOTHING = 1e-24  # a variance that rounding alone leaves


@dataclass(frozen=True)
class Variance:
    """The variance of estimates, as a sum of two independent estimates of variances.

    Attributes:
        seeds: what comes of seeds; in a design of own folds also what comes of patients.
        seeds_df: its degrees of freedom.
        patients: what comes of test patients that all seeds share; 0 where there are none.
        patients_df: its degrees of freedom.
    """

    seeds: Array
    seeds_df: Array
    patients: Array
    patients_df: Array

    @property
    def total(self) -> Array:
        """The whole variance."""
        total: Array = self.seeds + self.patients
        return total

    def at(self, one: Array, other: Array) -> Variance:
        """Those of some pairs of arms, of (K, K): n of the one and n of the other."""
        parts = np.broadcast_arrays(self.seeds, self.seeds_df, self.patients, self.patients_df)
        return Variance(*(part[one, other] for part in parts))

    def half_width(self, level: Any) -> Array:
        """Half the width of a two-sided interval that misses with a probability of ``level``.

        Each part is multiplied by its own quantile: t₁²·v₁ + t₂²·v₂ under one root. Such an
        interval covers with at least its nominal probability for any ratio of the true variances
        (Banerjee, Sankhyā 22, 1960), where one t with Satterthwaite's degrees of freedom is too
        short for few seeds.
        """
        tail = np.asarray(level) / 2
        patients = np.where(self.patients > 0, stdtrit(self.patients_df, tail), 0.0)
        width: Array = np.sqrt(
            stdtrit(self.seeds_df, tail) ** 2 * self.seeds + patients**2 * self.patients
        )
        return width

    def p_value(self, difference: Array) -> Array:
        """The level at which an interval just reaches from a difference to 0; NaN for 0 / 0.

        A difference without any variance has none either: no test can be made.
        """
        apart = np.abs(difference)
        low, high = np.full(apart.shape, np.log(1e-15)), np.zeros(apart.shape)
        for _ in range(50):  # the width falls with the level: halve where it crosses
            middle = (low + high) / 2
            wider = self.half_width(np.exp(middle)) > apart
            low, high = np.where(wider, middle, low), np.where(wider, high, middle)
        p = np.where(apart**2 > NOTHING, np.exp((low + high) / 2), 1.0)
        tested: Array = np.where((self.total > NOTHING) | (apart**2 <= NOTHING), p, np.nan)
        return tested


def mean_squares(values: Array) -> tuple[Array, Array]:
    """The mean square of arm × seed: of all arms together, and what two arms alone tell of theirs.

    The latter is the larger of the pair's mean square and of half that of either arm, which no
    pair's can be below but by chance.

    Args:
        values: (…, K, S) a metric by arm and seed.

    Returns:
        (…), with (K − 1)(S − 1) degrees of freedom; (…, K, K), with S − 1.
    """
    k, s = values.shape[-2:]
    centred = values - values.mean(axis=-1, keepdims=True)
    residual = centred - centred.mean(axis=-2, keepdims=True)
    squares = (residual**2).sum(axis=-1) / (s - 1)
    pooled: Array = squares.sum(axis=-1) / (k - 1)
    products = centred @ np.swapaxes(centred, -1, -2) / (s - 1)
    own = np.diagonal(products, axis1=-2, axis2=-1)
    pairs = (own[..., :, None] + own[..., None, :]) / 2 - products
    arms = squares * (k / (k - 1)) / 2
    return pooled, np.maximum(pairs, np.maximum(arms[..., :, None], arms[..., None, :]))


def shared_test_set(values: Array, left_out: Array) -> Variance:
    """The variance of the difference of two arms' means, where seeds share their test patients.

    Args:
        values: (…, K, S) a metric by arm and seed.
        left_out: (…, K, S, P) the metric without one patient, but for a constant of each run.

    Returns:
        Arrays of (…, K, K); the diagonal says nothing.
    """
    s = values.shape[-1]
    mean_square, df = larger_mean_square(values)
    apart = left_out - left_out.mean(axis=-1, keepdims=True)
    covariance = _between_seeds(apart)
    own = np.diagonal(covariance, axis1=-2, axis2=-1)
    shared = own[..., :, None] + own[..., None, :] - 2 * covariance
    by_arm = apart.sum(axis=-2)
    carried = carried_by(by_arm[..., :, None, :] - by_arm[..., None, :, :])
    return Variance(2 * mean_square / s, df, np.maximum(shared, 0.0), np.maximum(carried - 1, 1.0))


def own_test_sets(values: Array, test_per_train: Any) -> Variance:
    """The variance of the difference of two arms' means, where each seed draws its test patients.

    Args:
        values: (…, K, S) a metric by arm and seed.
        test_per_train: test samples for each training sample.

    Returns:
        Arrays of (…, K, K); the diagonal says nothing.
    """
    mean_square, df = larger_mean_square(values)
    variance = 2 * mean_square * (1 / values.shape[-1] + test_per_train)
    return Variance(variance, df, np.zeros_like(variance), np.ones_like(variance))


def mean_on_shared_test_set(values: Array, left_out: Array) -> Variance:
    """The variance of each arm's mean, where seeds share their test patients; arrays of (…, K)."""
    s = values.shape[-1]
    seeds = values.var(axis=-1, ddof=1) / s
    apart = left_out - left_out.mean(axis=-1, keepdims=True)
    patients = np.diagonal(_between_seeds(apart), axis1=-2, axis2=-1)
    df = np.maximum(carried_by(apart.sum(axis=-2)) - 1, 1.0)
    return Variance(seeds, np.full(seeds.shape, s - 1.0), np.maximum(patients, 0.0), df)


def mean_on_own_test_sets(values: Array, test_per_train: Any) -> Variance:
    """The variance of each arm's mean, where each seed draws its test patients; (…, K)."""
    s = values.shape[-1]
    variance = values.var(axis=-1, ddof=1) * (1 / s + test_per_train)
    df = np.full(variance.shape, s - 1.0)
    return Variance(variance, df, np.zeros_like(variance), np.ones_like(variance))


def larger_mean_square(values: Array) -> tuple[Array, Array]:
    """The larger of the pooled and the pair's mean square, and its degrees of freedom, (…, K, K).

    The pooled one has many degrees of freedom, but is too small for a pair of which one arm
    spreads more than the rest.
    """
    k, s = values.shape[-2:]
    pooled, pairs = mean_squares(values)
    whole = np.broadcast_to(pooled[..., None, None], pairs.shape)
    df = np.where(pairs > whole, float(s - 1), float((k - 1) * (s - 1)))
    larger: Array = np.maximum(pairs, whole)
    return larger, df


def _between_seeds(apart: Array) -> Array:
    """Jackknife covariances of runs of different seeds, (…, K, K), means over the pairs of seeds.

    On the diagonal it is Obuchowski and Rockette's Cov₂ of each arm, elsewhere Cov₃ of each pair.

    Args:
        apart: (…, K, S, P) the metric without each patient, minus its mean over patients.
    """
    *lead, k, s, p = apart.shape
    by_arm = apart.sum(axis=-2)
    flat = apart.reshape(*lead, k, s * p)
    every: Array = by_arm @ np.swapaxes(by_arm, -1, -2)
    same: Array = flat @ np.swapaxes(flat, -1, -2)
    covariance: Array = (every - same) * ((p - 1) / p / (s * (s - 1)))
    return covariance


def carried_by(apart: Array) -> Array:
    """How many patients carry a difference: (Σ x²)² / Σ x⁴, from 1 to P.

    A variance that few patients decide is as uncertain as one of few samples.
    """
    squares = apart**2
    fourth = (squares**2).sum(axis=-1)
    carried: Array = np.divide(
        squares.sum(axis=-1) ** 2, fourth, out=np.ones(fourth.shape), where=fourth > 0
    )
    return carried
