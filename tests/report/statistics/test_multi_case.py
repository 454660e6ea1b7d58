"""Variances of differences: by hand, by loops over runs and patients, and by scipy."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics.multi_case import (
    Variance,
    mean_on_own_test_sets,
    mean_on_shared_test_set,
    mean_squares,
    own_test_sets,
    shared_test_set,
)


def right_answers(arms=3, seeds=4, patients=40, seed=0):
    """(K, S, P) of 0 and 1, alike for an arm's seeds; accuracies and those without a patient."""
    random = np.random.default_rng(seed)
    hard = random.normal(size=(1, 1, patients)) + random.normal(size=(arms, 1, patients))
    right = (hard + 0.5 * random.normal(size=(arms, seeds, patients)) < 0.8).astype(float)
    total = right.sum(axis=-1, keepdims=True)
    return right, right.mean(axis=-1), (total - right) / (patients - 1)


def test_mean_squares_by_hand():
    """Means of rows 2, 2, 3, of columns 2, 2, 3, of all 7/3; each residual is 1/3 or -2/3."""
    values = np.array([[1.0, 2, 3], [2, 2, 2], [3, 2, 4]])
    pooled, pairs = mean_squares(values)
    assert pooled == pytest.approx(2 / 4)  # three rows of 4/9 + 1/9 + 1/9, by 2 × 2
    # Differences -1 0 1, -2 0 -1, -1 0 -2: variances 1, 1 and 1, of which half.
    off_diagonal = ~np.eye(3, dtype=bool)
    assert pairs[off_diagonal] == pytest.approx(0.5)


def test_a_pair_is_not_held_for_calmer_than_half_its_wilder_arm():
    """Both arms jump alike, the others stay: only chance makes their difference so steady."""
    jump = np.array([0.0, 3.0, -3.0])
    values = np.array([jump, jump, [0, 0, 0], [0, 0, 0]])
    _, pairs = mean_squares(values)
    # Residuals of the first arm ± 1.5: squares 4.5 by 2 seeds, times 4/3, half of that.
    assert pairs[0, 1] == pytest.approx(4.5 / 2 * 4 / 3 / 2)


def test_covariances_are_those_of_means_of_samples():
    """The jackknife of a mean is its variance: here over loops of runs, from the right answers."""
    right, values, left_out = right_answers()
    found = shared_test_set(values, left_out)
    k, s, p = right.shape
    pairs = list(permutations(range(s), 2))

    def between(i, j):
        return np.mean([np.cov(right[i, a], right[j, b])[0, 1] / p for a, b in pairs])

    for i, j in product(range(k), range(k)):
        expected = between(i, i) + between(j, j) - between(i, j) - between(j, i)
        assert found.patients[i, j] == pytest.approx(max(expected, 0.0), abs=1e-15)
    alone = mean_on_shared_test_set(values, left_out)
    assert alone.patients == pytest.approx([max(between(i, i), 0.0) for i in range(k)])
    assert alone.seeds == pytest.approx(values.var(axis=1, ddof=1) / s)
    assert alone.seeds_df.tolist() == [s - 1] * k
    _, pair_squares = mean_squares(values)
    pooled, _ = mean_squares(values)
    assert found.seeds == pytest.approx(2 / s * np.maximum(pooled, pair_squares))


def test_the_constant_of_a_run_does_not_matter():
    _, values, left_out = right_answers()
    shifted = left_out + np.arange(12).reshape(3, 4, 1)
    first, second = shared_test_set(values, left_out), shared_test_set(values, shifted)
    assert first.patients == pytest.approx(second.patients)


def test_many_grids_at_once_are_each_alone():
    one, other = right_answers(seed=1), right_answers(seed=2)
    together = shared_test_set(np.stack([one[1], other[1]]), np.stack([one[2], other[2]]))
    for place, (_, values, left_out) in enumerate((one, other)):
        alone = shared_test_set(values, left_out)
        for name, array in vars(alone).items():
            assert getattr(together, name)[place] == pytest.approx(array), name


def test_degrees_of_freedom_are_those_of_the_mean_square_taken():
    calm = np.array([[0.1, 0.2, 0.3], [0.2, 0.1, 0.3], [0.3, 0.2, 0.1], [0.1, 0.3, 0.2]])
    wild = np.array([*calm[:3], [-9.0, 9.0, 0.0]])
    assert own_test_sets(wild, 0.25).seeds_df[0, 3] == 2, "the wild arm's own: S - 1"
    assert own_test_sets(wild, 0.25).seeds_df[0, 1] == 6, "the pooled one: (K - 1)(S - 1)"


def test_few_differing_patients_are_few_samples():
    """Three of 100 patients differ: two degrees of freedom, however many patients there are."""
    right = np.ones((2, 3, 100))
    right[1, :, :3] = 0
    total = right.sum(axis=-1, keepdims=True)
    found = shared_test_set(right.mean(axis=-1), (total - right) / 99)
    # Of the mean of three ones and 97 zeros; deviations .97 and -.03.
    carried = (3 * 0.97**2 + 97 * 0.03**2) ** 2 / (3 * 0.97**4 + 97 * 0.03**4)
    assert found.patients_df[0, 1] == pytest.approx(carried - 1)
    assert carried == pytest.approx(3.19, abs=0.01)
    assert found.patients[0, 1] == pytest.approx(0.03 * 0.97 / 99)


def test_own_folds_are_nadeau_and_bengios_test():
    """Two arms: t = mean / sqrt((1 / S + n_test / n_train) · variance), S - 1 degrees."""
    differences = np.array([0.10, 0.09, 0.08, 0.13])
    base = np.array([0.6, 0.65, 0.62, 0.61])
    values = np.stack([base + differences, base])
    found = own_test_sets(values, 0.25)
    t = 0.10 / np.sqrt((1 / 4 + 0.25) * differences.var(ddof=1))
    means = values.mean(axis=1)
    p = found.p_value(means[:, None] - means)
    assert p[0, 1] == pytest.approx(2 * stats.t.sf(t, 3), rel=1e-6)
    assert mean_on_own_test_sets(values, 0.25).total[1] == pytest.approx(0.5 * base.var(ddof=1))


def test_where_only_seeds_or_only_patients_vary_it_is_a_t_test():
    one, none, df = np.array(0.04), np.array(0.0), np.array(5.0)
    only_seeds = Variance(one, df, none, np.array(9.0))
    assert only_seeds.p_value(np.array(0.5)) == pytest.approx(2 * stats.t.sf(2.5, 5), rel=1e-6)
    only_patients = Variance(none, df, one, np.array(9.0))
    assert only_patients.p_value(np.array(-0.5)) == pytest.approx(2 * stats.t.sf(2.5, 9), rel=1e-6)
    assert only_seeds.half_width(0.05) == pytest.approx(0.2 * stats.t.ppf(0.975, 5))


def test_each_part_has_its_own_quantile():
    both = Variance(np.array(0.04), np.array(2.0), np.array(0.09), np.array(30.0))
    expected = np.sqrt(0.04 * stats.t.ppf(0.975, 2) ** 2 + 0.09 * stats.t.ppf(0.975, 30) ** 2)
    assert both.half_width(0.05) == pytest.approx(expected)
    assert both.p_value(np.array(expected)) == pytest.approx(0.05, rel=1e-6)


def test_banerjees_interval_covers_whatever_the_ratio_of_the_variances_is():
    """Normal data of known truth: a t with Satterthwaite's degrees misses too often, this not."""
    random = np.random.default_rng(0)
    n, df = 40_000, 3
    for patients in (0.05, 0.3, 1.0):
        mean = random.normal(size=n) * np.sqrt(1 + patients)
        estimate = random.chisquare(df, n) / df
        width = Variance(
            estimate, np.full(n, float(df)), np.full(n, patients), np.full(n, 1e6)
        ).half_width(0.05)
        assert (np.abs(mean) > width).mean() <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / n)


def test_nothing_varies():
    none = Variance(np.zeros(2), np.full(2, 2.0), np.zeros(2), np.ones(2))
    p = none.p_value(np.array([0.0, 0.1]))
    assert p[0] == 1.0, "no difference at all"
    assert np.isnan(p[1]), "a difference without any spread cannot be tested"
