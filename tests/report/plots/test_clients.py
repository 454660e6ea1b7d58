"""The accuracy of every client."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.clients import client_accuracies, draw_clients
from medfl.results.runs import read_grid_runs


def test_clients_panel_shows_each_client_and_marks_the_worst(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    run = results.at("toy", "iid", "fedavg")[0]
    assert client_accuracies(run) == pytest.approx([0.70, 0.80, 0.85])
    figure = draw_clients(results, "toy", {"fedbn": "fedbn †"})
    panel = figure.axes[0]
    triangles = [line for line in panel.lines if line.get_marker() == "v"]
    assert len(triangles) == 5 * 3  # arms × seeds
    assert "fedbn †" in [label.get_text() for label in panel.get_yticklabels()]
