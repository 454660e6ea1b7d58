from __future__ import annotations

import math

import pytest

from medfl.errors import MedflError
from medfl.report.curves import mean_curve, read_rounds


def test_rounds_are_numbers_and_empty_cells_none(results_dir):
    rows = read_rounds(results_dir / "runs/toy/iid/fedavg/seed0")
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert rows[2]["test_accuracy"] == pytest.approx(0.80)
    assert rows[0]["test_auc_macro"] is None


def test_broken_rounds_file_is_named(results_dir):
    folder = results_dir / "runs/toy/iid/fedavg/seed0"
    (folder / "rounds.csv").write_text("round,test_accuracy\n0,zero\n")
    with pytest.raises(MedflError, match=r"rounds\.csv cannot be read"):
        read_rounds(folder)
    (folder / "rounds.csv").unlink()
    with pytest.raises(MedflError, match="does not exist"):
        read_rounds(folder)


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
    points = mean_curve([first, second], "test_accuracy")
    assert [(point.round, point.n) for point in points] == [(0, 2), (2, 2)]
    assert points[1].mean == pytest.approx(0.7)
    assert points[1].sd == pytest.approx(0.2 / math.sqrt(2))
    assert points[1].bytes_total == 30
    assert mean_curve([], "test_accuracy") == []
