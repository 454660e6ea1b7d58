from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medfl.report.statistics.summary import rank, summarise


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


def test_arms_are_ordered_by_their_means():
    ranking = rank(
        {
            "b": {0: 0.60, 1: 0.65, 2: 0.64},
            "a": {0: 0.70, 1: 0.74, 2: 0.72},
            "c": {2: 0.71, 1: 0.75, 0: 0.69},
        }
    )
    assert ranking is not None
    assert ranking.order == ("a", "c", "b")
    assert ranking.best == "a"
    assert [ranking.place(arm) for arm in "abc"] == [1, 3, 2]


def test_lower_is_better_where_it_is():
    ranking = rank({"a": {0: 0.3}, "b": {0: 0.1}}, higher_is_better=False)
    assert ranking is not None
    assert ranking.best == "b"


def test_an_arm_with_fewer_seeds_cannot_win():
    ranking = rank({"lucky": {0: 0.99}, "a": {0: 0.7, 1: 0.7}, "b": {0: 0.6, 1: 0.6}})
    assert ranking is not None
    assert ranking.order == ("a", "b")


def test_nothing_to_rank():
    assert rank({}) is None
    assert rank({"a": {}}) is None
