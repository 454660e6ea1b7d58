"""A part of docs/statistics.md's table: in grids without a difference, claims are rare."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.false_claims import ALLOWED, Setting, claims, false_claims, margins, power
from medfl.report.statistics.multi_case import Variance, own_test_sets
from medfl.report.statistics.planning import pilot

GRIDS = 2000
LIMIT = ALLOWED + 2.6 * np.sqrt(ALLOWED * (1 - ALLOWED) / GRIDS)


def each(*values):
    """The first and the last are met each time, those between them once a week."""
    between = [pytest.param(*one, marks=pytest.mark.weekly) for one in values[1:-1]]
    return [values[0], *between, values[-1]]


@pytest.mark.slow
@pytest.mark.parametrize("wild", [pytest.param(1.0, marks=pytest.mark.weekly), 5.0])
@pytest.mark.parametrize("own_folds", [False, True])
@pytest.mark.parametrize(("arms", "seeds"), each((2, 4), (2, 6), (4, 3), (7, 3), (7, 10), (12, 4)))
def test_false_claims_are_rare(arms, seeds, own_folds, wild):
    setting = Setting(arms, seeds, own_folds, wild)
    assert false_claims(setting, GRIDS, seed=1) <= LIMIT


def test_two_arms_with_three_seeds_claim_nothing():
    assert false_claims(Setting(2, 3, wild=5.0), 20) == 0


def test_the_simulation_notices_a_test_that_takes_patients_for_fixed():
    """Own folds' test without the overlap is the paired t-test: it claims far too often."""
    random, found = np.random.default_rng(0), 0
    for _ in range(50):
        values = (margins(Setting(4, 6), 1, random) > 0).mean(axis=-1)
        found += bool(claims(values, own_test_sets(values, 0.0)).any())
    assert found / 50 > 2 * ALLOWED


def test_arms_of_the_simulation_are_equally_good():
    for setting in (Setting(3, 2, wild=5.0), Setting(3, 2, own_folds=True)):
        right = margins(setting, 400, np.random.default_rng(0)) > 0
        assert right.mean(axis=(0, 2, 3)) == pytest.approx(0.8, abs=0.01)
    better = margins(Setting(3, 2, better=5.0), 400, np.random.default_rng(0)) > 0
    assert better.mean(axis=(0, 2, 3)) == pytest.approx([0.85, 0.8, 0.8], abs=0.01)


def test_without_variance_nothing_is_claimed():
    none = Variance(*(np.zeros((1, 2, 2)) + value for value in (0.0, 3.0, 0.0, 1.0)))
    assert not claims(np.array([[[0.5, 0.5], [0.6, 0.6]]]), none).any()


@pytest.mark.slow
@pytest.mark.parametrize(("arms", "seeds"), [(2, 6), (7, 10)])
def test_a_plan_finds_the_power_that_grids_have(arms, seeds):
    """From large pilots; the plan is a little careful (docs/statistics.md)."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(8):
        right = (margins(Setting(arms, 10, patients=1000), 1, random)[0] > 0).astype(float)
        without = [-right[:, seed] / 999 for seed in range(10)]
        measured = pilot(right.mean(axis=-1), without, True, 0.25)
        found.append(measured.power(0.05, arms, seeds))
    truth = power(Setting(arms, seeds, patients=1000, better=5.0), 400)
    assert truth - 0.15 <= np.mean(found) <= truth + 0.05
