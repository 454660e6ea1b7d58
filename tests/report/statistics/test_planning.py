"""What a pilot's variance consists of, and what follows for seeds and patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics.planning import Pilot, pilot


def runs(arms=3, seeds=4, patients=60, seed=0):
    random = np.random.default_rng(seed)
    hard = random.normal(size=(1, 1, patients)) + random.normal(size=(arms, 1, patients))
    return (hard + random.normal(size=(arms, seeds, patients)) < 0.8).astype(float)


def test_own_folds_are_taken_apart_into_training_and_patients():
    right = runs()
    k, s, p = right.shape
    found = pilot(right.mean(axis=-1), [-right[:, n] / (p - 1) for n in range(s)], False, 0.25)
    # Half the variance of the difference of two runs' means over the same patients.
    expected = np.mean(
        [
            np.var(right[i, n] - right[j, n], ddof=1) / p / 2
            for n in range(s)
            for i in range(k)
            for j in range(i)
        ]
    )
    assert found.judging == pytest.approx(expected)
    residual = right.mean(axis=-1)
    residual = residual - residual.mean(axis=0) - residual.mean(axis=1)[:, None] + residual.mean()
    square = (residual**2).sum() / ((k - 1) * (s - 1))
    assert found.training == pytest.approx(max(square - expected, 0.0))
    assert (found.shared, found.patients, found.test_per_train) == (0.0, p, 0.25)


def test_a_shared_test_set_has_a_part_that_seeds_do_not_average_out():
    right = runs()
    k, s, p = right.shape
    found = pilot(right.mean(axis=-1), [-right[:, n] / (p - 1) for n in range(s)], True, 0.25)

    def between(i, j):
        return np.mean(
            [
                np.cov(right[i, a], right[j, b])[0, 1] / p
                for a in range(s)
                for b in range(s)
                if a != b
            ]
        )

    pairs = [(i, j) for i in range(k) for j in range(i)]
    shared = np.mean(
        [between(i, i) + between(j, j) - between(i, j) - between(j, i) for i, j in pairs]
    )
    assert found.shared == pytest.approx(shared)
    assert found.test_per_train is None
    within = np.mean([np.var(right[i] - right[j], axis=1, ddof=1) / p / 2 for i, j in pairs])
    assert found.judging == pytest.approx(within - shared / 2), "what all seeds share is no one's"


def test_power_by_hand_where_patients_alone_vary():
    """Steady seeds, a standard error of 1 point at 400 patients: a z-test of two arms."""
    steady = Pilot(0.0, 0.0, 0.0001, 400, 1e9)
    expected = stats.norm.sf(stats.norm.ppf(0.975) - 3)
    assert steady.power(0.03, 2, 5) == pytest.approx(expected, abs=0.03)
    # .80 of power need 2.8 standard errors: one point needs (2.8)² times the patients.
    needed = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2 * 400
    assert steady.patients_for(0.01, 2, 5) == pytest.approx(needed, rel=0.1)
    assert steady.seeds_for(0.01, 2) is None, "no number of seeds adds a patient"
    assert steady.seeds_for(0.05, 2) == 4, "the fewest that are tested"


def test_power_by_hand_where_seeds_alone_vary():
    """Own folds without overlap: a paired t-test, whose power the noncentral t knows."""
    noisy = Pilot(0.0002, 0.0, 0.0, 400, 400, 0.0)
    for seeds in (5, 8):
        away = 0.03 / np.sqrt(2 * 0.0002 / seeds)
        expected = stats.nct.sf(stats.t.ppf(0.975, seeds - 1), seeds - 1, away)
        assert noisy.power(0.03, 2, seeds) == pytest.approx(expected, abs=0.04)
    assert noisy.patients_for(0.03, 2, 4) is None, "no number of patients calms a training"
    assert noisy.power(0.03, 7, 5) < noisy.power(0.03, 3, 5), "more pairs to be corrected for"
