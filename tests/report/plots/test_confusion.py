"""Confusion matrices of arms."""

from __future__ import annotations

import numpy as np

from medfl.report.grid_results import GridResults
from medfl.report.plots.confusion import draw_confusions, mean_confusion
from medfl.results.runs import read_grid_runs


def test_confusion_rows_are_normalised_then_averaged(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    matrix = mean_confusion(results, "toy", "iid", "fedavg")
    # every seed has rows 8 1 1 / 2 16 2 / 0 0 0
    np.testing.assert_allclose(matrix[:2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert np.isnan(matrix[2]).all()


def test_no_confusion_matrix_no_picture(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [0.5, 0.6], last={"round": 1, "test": {"accuracy": 0.6}})
    results = GridResults(read_grid_runs(cells, tmp_path))
    assert draw_confusions(results, "toy", "iid", [], {}) is None
