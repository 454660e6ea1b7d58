from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics import holm, paired_p, rank, summarise


def test_summary_by_hand():
    # mean 2, deviations -1, 0, 1: sd 1; t(0.975, 2) = 4.30265, half width 4.30265 / sqrt(3)
    summary = summarise([1.0, 2.0, 3.0])
    assert (summary.n, summary.mean, summary.sd) == (3, 2.0, 1.0)
    assert summary.low == pytest.approx(2 - 2.48414, abs=1e-5)
    assert summary.high == pytest.approx(2 + 2.48414, abs=1e-5)


def test_interval_agrees_with_scipy():
    values = [0.71, 0.74, 0.69, 0.75, 0.73]
    summary = summarise(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (summary.low, summary.high) == pytest.approx((low, high))


def test_one_seed_has_no_spread_and_none_is_an_error():
    assert summarise([0.5]).sd is None
    assert summarise([0.5]).low is None
    with pytest.raises(ValueError, match="no values"):
        summarise([])


def test_paired_p_agrees_with_scipy():
    first, second = [0.70, 0.74, 0.72, 0.71], [0.60, 0.65, 0.64, 0.70]
    expected = stats.ttest_rel(first, second).pvalue
    assert paired_p([a - b for a, b in zip(first, second, strict=True)]) == pytest.approx(expected)


def test_paired_p_says_when_nothing_can_be_tested():
    assert paired_p([0.1, 0.2]) is None
    assert paired_p([0.1, 0.1, 0.1]) is None
    assert paired_p([0.0, 0.0, 0.0]) == 1.0


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, then made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_ranking_orders_and_compares_seed_by_seed():
    ranking = rank(
        {
            "b": {0: 0.60, 1: 0.65, 2: 0.64},
            "a": {0: 0.70, 1: 0.74, 2: 0.72},
            "c": {2: 0.71, 1: 0.75, 0: 0.69},
        }
    )
    assert ranking is not None
    assert ranking.order == ("a", "c", "b")
    c, b = ranking.tests
    # a - b = .10 .09 .08: mean .09, sd .01, t = .09 / (.01 / sqrt 3) = 15.588, 2 degrees
    assert b.difference == pytest.approx(0.09)
    assert b.p == pytest.approx(2 * stats.t.sf(9 * math.sqrt(3), 2))
    assert b.p_holm == pytest.approx(2 * b.p)
    assert b.separated
    # a - c = .01 -.01 .01, paired by seed though c lists its seeds backwards
    assert c.p == pytest.approx(stats.ttest_1samp([0.01, -0.01, 0.01], 0).pvalue)
    assert ranking.not_separated == ["c"]


def test_lower_is_better_where_it_is():
    ranking = rank({"a": {0: 0.3}, "b": {0: 0.1}}, higher_is_better=False)
    assert ranking is not None
    assert ranking.best == "b"


def test_an_arm_with_fewer_seeds_cannot_win():
    ranking = rank({"lucky": {0: 0.99}, "a": {0: 0.7, 1: 0.7}, "b": {0: 0.6, 1: 0.6}})
    assert ranking is not None
    assert ranking.order == ("a", "b")
    assert all(test.p is None and not test.separated for test in ranking.tests)


def test_nothing_to_rank():
    assert rank({}) is None
    assert rank({"a": {}}) is None
