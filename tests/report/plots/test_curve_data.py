"""The numbers that the page's script draws."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.convergence import Convergence
from medfl.report.plots.curve_data import MOST
from medfl.report.plots.style import arm_styles
from medfl.results.runs import read_grid_runs


def data(cells, folder, partition="iid"):
    results = GridResults(read_grid_runs(cells, folder))
    figure = Convergence()
    look = {"styles": arm_styles(results.arms), "labels": {"fedbn": "fedbn †"}}
    subjects = figure.subjects(results, "toy", **look)
    subject = next(one for one in subjects if one.partition == partition)
    return figure.interactive(subject)


def test_points_are_rounds_megabytes_means_and_deviations(cells, results_dir):
    found = data(cells, results_dir)
    assert (found["y"], found["chance"]) == ("Test accuracy (%)", 62)
    assert found["limits"] == [0, 100]
    arms = {arm["name"]: arm for arm in found["arms"]}
    # Of seeds .80, .82 and .84; 2 MB a round.
    assert arms["fedavg"]["points"] == [[0, 0, 30, 0], [1, 2, 50, 0], [2, 4, 82, 2]]
    assert arms["fedavg"]["everyone"] is None, "the line is for everyone, too"
    assert arms["fedbn †"]["everyone"] == pytest.approx([55, 0], abs=1e-9)


def test_a_run_that_diverged_is_a_line_of_its_own(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0, 1])
    fake.write_run(tmp_path, cells[0], [0.3, 0.5])
    fake.write_run(tmp_path, cells[1], [0.3, 0.2], status="diverged")
    (arm,) = data(cells, tmp_path)["arms"]
    assert arm["stopped"] == [[[0, 0, 30], [1, 2, 20]]]
    assert arm["points"] == [[0, 0, 30, None], [1, 2, 50, None]]


def test_long_curves_keep_their_ends_and_few_points(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg"], [0])
    fake.write_run(tmp_path, cells[0], [k / 1000 for k in range(500)])
    (arm,) = data(cells, tmp_path)["arms"]
    rounds = [point[0] for point in arm["points"]]
    assert (rounds[0], rounds[-1]) == (0, 499)
    assert MOST / 2 < len(rounds) <= MOST + 1
