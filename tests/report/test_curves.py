from __future__ import annotations

import math

import pandas as pd
import pytest

from medfl.report.curves import as_history, mean_curve


def test_mean_curve_takes_the_rounds_that_every_seed_evaluated():
    first = [
        {"round": 0, "bytes_total": 0, "test_accuracy": 0.2},
        {"round": 1, "bytes_total": 10, "test_accuracy": None},
        {"round": 2, "bytes_total": 20, "test_accuracy": 0.6},
        {"round": 3, "bytes_total": 30, "test_accuracy": math.nan},
    ]
    second = [
        {"round": 0, "bytes_total": 0, "test_accuracy": 0.4},
        {"round": 2, "bytes_total": 40, "test_accuracy": 0.8},
        {"round": 3, "bytes_total": 60, "test_accuracy": 0.9},
    ]
    points = mean_curve(
        [as_history(pd.DataFrame(first)), as_history(pd.DataFrame(second))], "test_accuracy"
    )
    assert [(point.round, point.n) for point in points] == [(0, 2), (2, 2)]
    assert points[1].mean == pytest.approx(0.7)
    assert points[1].sd == pytest.approx(0.2 / math.sqrt(2))
    assert points[1].bytes_total == 30
    assert mean_curve([], "test_accuracy") == []
    assert mean_curve([as_history(pd.DataFrame(first))], "val_accuracy") == []
    alone = mean_curve([as_history(pd.DataFrame(second))], "test_accuracy")
    assert [point.mean for point in alone] == [0.4, 0.8, 0.9]


def test_a_history_without_traffic_or_value_is_no_error():
    rows = pd.DataFrame([{"round": 0, "test_loss": None}, {"round": 1, "test_loss": 0.5}])
    [point] = mean_curve([as_history(rows)], "test_loss")
    assert (point.round, point.mean, point.bytes_total) == (1, 0.5, 0)
    assert mean_curve([as_history(rows.assign(test_loss=None))], "test_loss") == []


def test_equal_rounds_in_any_order_give_the_same_curve():
    rows = [{"round": k, "bytes_total": 10 * k, "test_loss": 1 / (k + 1)} for k in range(5)]
    whole, turned = pd.DataFrame(rows), pd.DataFrame(rows[::-1])
    points = mean_curve([as_history(whole), as_history(whole)], "test_loss")
    assert [(one.round, one.bytes_total) for one in points] == [(k, 10 * k) for k in range(5)]
    assert [one.mean for one in points] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert {one.sd for one in points} == {0}
    assert mean_curve([as_history(turned), as_history(turned)], "test_loss") == points
    assert mean_curve([as_history(turned), as_history(whole)], "test_loss") == points
    assert (
        mean_curve([as_history(whole), as_history(pd.DataFrame(rows[:2]))], "test_loss")
        == (points[:2])
    )
