"""The audit by many runs on two neighbours: its bound, and a normaliser that depends on n."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from medfl.config.audit import AuditSettings
from medfl.errors import MedflError
from medfl.observed.neighbours import neighbours_bound, single_steps
from medfl.privacy.accounting import gaussian_epsilon
from medfl.privacy.audit.neighbours import two_neighbour_epsilon

RUNS, DELTA, LEVEL = 2000, 1e-5, 0.05


def test_the_bound_by_hand():
    """Half of the runs with the sample have score 1, a tenth of those without; all others 0.

    Of 1,000 runs that count: 500 and 100. The bound is ln((p − δ)/q) with Clopper and Pearson's
    p from 500 and q from 100, each at .025.
    """
    score = np.arange(RUNS) // 2  # so that the runs that choose and that count are alike
    without, with_one = (score % 10 == 0) * 1.0, (score % 2 == 0) * 1.0
    p = binomtest(500, 1000).proportion_ci(0.95, "exact").low
    q = binomtest(100, 1000).proportion_ci(0.95, "exact").high
    expected = math.log((p - DELTA) / q)
    for first, other, sign in ((without, with_one, 1), (with_one, without, -1)):
        found = two_neighbour_epsilon(sign * first, sign * other, DELTA, LEVEL)
        assert found == pytest.approx(expected, rel=1e-12)


def test_what_differs_always_is_bounded_by_the_number_of_runs():
    """1,000 of 1,000 against none: p = .025^(1/1000) and q = 1 − .025^(1/1000)."""
    p = 0.025 ** (1 / 1000)
    found = two_neighbour_epsilon(np.zeros(RUNS), np.ones(RUNS), 0.0, LEVEL)
    assert found == pytest.approx(math.log(p / (1 - p)), rel=1e-12)


def test_it_is_wrong_no_more_often_than_it_says():
    random, wrong = np.random.default_rng(0), 0
    for _ in range(60):
        without, with_one = random.normal(size=RUNS), random.normal(0.5, size=RUNS)
        wrong += two_neighbour_epsilon(without, with_one, 1e-2, LEVEL) > gaussian_epsilon(0.5, 1e-2)
    assert wrong <= 3


def test_few_runs_are_refused():
    with pytest.raises(MedflError, match="needs 2,000 runs of each, and got 1,999"):
        two_neighbour_epsilon(np.zeros(1999), np.zeros(RUNS), DELTA, LEVEL)


def lengths(gradients):
    """The length over pixels that no canary has: nothing but noise, and its scale."""
    return np.linalg.norm(gradients[:, 50:], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [1.1, 3.7307])
def test_the_real_link_keeps_its_claim(noise):
    """12 or 13 images: both are 10 to the public, so noise and normaliser are the same."""
    without, with_one = single_steps("image", 12, noise), single_steps("image", 13, noise)
    claimed = gaussian_epsilon(1 / noise, DELTA)
    by_pixel = two_neighbour_epsilon(without[:, 12], with_one[:, 12], DELTA, LEVEL)
    by_length = two_neighbour_epsilon(lengths(without), lengths(with_one), DELTA, LEVEL)
    assert by_length < 0.1 * claimed
    assert (0.2 * claimed if noise < 2 else 0.0) <= by_pixel <= claimed


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["image", "patient"])
def test_a_normaliser_that_depends_on_n_is_caught(monkeypatch, unit):
    """Σ / (qn) in place of a public constant: one unit less makes all noise 1/12 longer."""
    settings = AuditSettings(unit=unit)
    assert neighbours_bound(settings) <= settings.epsilon
    monkeypatch.setattr("medfl.privacy.dp_sgd.budget.public_size", lambda size, step: size)
    assert neighbours_bound(settings) > 2.0
