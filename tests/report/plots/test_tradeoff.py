"""Accuracy against traffic and against heterogeneity."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.style import arm_styles
from medfl.report.plots.tradeoff import draw_heterogeneity
from medfl.results.runs import read_grid_runs


def test_heterogeneity_needs_two_partitions(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    assert results.label_distance("toy", "iid") == pytest.approx(0.05)
    figure = draw_heterogeneity(results, "toy", arm_styles(results.arms), {})
    assert figure is not None
    fedavg = next(line for line in figure.axes[0].lines if line.get_color() == "#009E73")
    assert list(fedavg.get_xdata()) == pytest.approx([0.05, 0.4])
    assert list(fedavg.get_ydata()) == pytest.approx([82, 72])
    one = GridResults([run for run in results.runs if run.partition == "iid"])
    assert draw_heterogeneity(one, "toy", arm_styles(results.arms), {}) is None
