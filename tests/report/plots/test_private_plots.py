"""Metrics against ε and the cost of protection: what is drawn where."""

from __future__ import annotations

import math

import pytest

from medfl.pages.figures import GREY, PALETTE
from medfl.report.grid_results import GridResults
from medfl.report.plots.privacy import AgainstEpsilon, draw_privacy, places_of, series_of
from medfl.report.plots.protection import ProtectionCost, draw_cost
from medfl.results.runs import read_grid_runs


@pytest.fixture
def private(tmp_path, fake):
    folder = tmp_path / "private"
    return GridResults(read_grid_runs(fake.write_private(folder), folder))


def test_infinity_stands_right_of_the_largest_epsilon():
    assert places_of([1.0, 8.0, math.inf]) == {1.0: 1.0, 8.0: 8.0, math.inf: 20.0}
    assert places_of([math.inf]) == {math.inf: 2.5}


def test_an_algorithm_has_a_line_for_each_unit_from_the_least_epsilon(private):
    image, lesion = series_of(private, "toy", "iid")
    assert (image.label, image.unit) == ("fedavg: image", "image")
    assert list(image.arms.items()) == [
        (0.9999, "fedavg-dp-image-eps1"),
        (7.991, "fedavg-dp-image-eps8"),
        (math.inf, "fedavg-dp-image-inf"),
    ]
    # An arm that is alone in its line goes by its own name.
    assert (lesion.label, lesion.arms) == ("scaffold-dp: lesion", {7.5: "scaffold-dp"})


def test_two_arms_of_one_algorithm_and_epsilon_are_two_lines(tmp_path, fake):
    cells = fake.grid(["toy"], ["iid"], ["fedavg-a", "fedavg-b"], [0])
    privacy = {"mechanism": "dp_image", "unit": "image", "epsilon": 3.0, "delta": 1e-5}
    for cell in cells:
        fake.write_run(tmp_path, cell, [0.3, 0.5], privacy=privacy)
    found = series_of(GridResults(read_grid_runs(cells, tmp_path)), "toy", "iid")
    assert [one.label for one in found] == ["fedavg-a: image", "fedavg-b: image"]


def test_lines_hold_the_means_with_their_deviation(private):
    figure = draw_privacy(private, "toy")
    accuracy, balanced, worst = figure.axes
    titles = ["Test accuracy (%)", "Balanced accuracy (%)", "Worst client's accuracy (%)"]
    assert [axis.get_ylabel() for axis in figure.axes] == titles
    # Balanced accuracy and the worst client are a tenth below the accuracy in the made-up runs.
    for axis, less in ((accuracy, 0), (balanced, 10), (worst, 10)):
        image = axis.containers[0]
        assert list(image.lines[0].get_ydata()) == pytest.approx([52 - less, 68 - less, 75 - less])
        assert list(image.lines[0].get_xdata()) == pytest.approx([0.9999, 7.991, 7.991 * 2.5])
        bars = [segment[:, 1].tolist() for segment in image.lines[2][0].get_segments()]
        assert bars[1] == pytest.approx([66 - less, 70 - less])
        assert image.lines[0].get_color() == PALETTE[0]
        assert axis.containers[1].lines[0].get_color() == PALETTE[1]
        plain = next(line for line in axis.lines if line.get_color() == GREY)
        assert list(plain.get_ydata()) == pytest.approx([82 - less] * 2)
    assert accuracy.get_xscale() == "log"
    assert [tick.get_text() for tick in accuracy.get_xticklabels()] == ["1", "8", "∞"]


def test_a_metric_that_no_run_has_is_not_called_unfinished(tmp_path, fake):
    """No client has enough test samples for a worst one, with a thousand hospitals."""
    cells = fake.grid(["toy"], ["iid"], ["dp"], [0])
    privacy = {"mechanism": "dp_hospital", "unit": "hospital", "epsilon": 3.0, "delta": 1e-5}
    fake.write_run(tmp_path, cells[0], [0.3, 0.5], privacy=privacy, fairness={"worst": None})
    figure = draw_privacy(GridResults(read_grid_runs(cells, tmp_path)), "toy")
    said = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert said == [[], [], ["not defined or not published in any run"]]


def test_level_lines_that_touch_have_their_names_side_by_side(tmp_path, fake):
    """Two arms with the same number were written over one another."""
    cells = fake.grid(["toy"], ["iid"], ["dp", "fedavg", "ditto", "good"], [0])
    privacy = {"mechanism": "dp_image", "unit": "image", "epsilon": 3.0, "delta": 1e-5}
    fake.write_run(tmp_path, cells[0], [0.3, 0.5], privacy=privacy)
    for cell, end in zip(cells[1:], (0.7, 0.7, 0.9), strict=True):
        fake.write_run(tmp_path, cell, [0.3, end])
    figure = draw_privacy(GridResults(read_grid_runs(cells, tmp_path)), "toy")
    for axis, less in zip(figure.axes, (0, 10, 10), strict=True):
        assert [text.get_text() for text in axis.texts] == ["fedavg, ditto", "good"]
        assert [text.xy[1] for text in axis.texts] == pytest.approx([70 - less, 90 - less])


def test_bars_hold_seconds_and_megabytes(private):
    seconds, megabytes = draw_cost(private, "toy", {}).axes
    names = [tick.get_text() for tick in seconds.get_yticklabels()]
    assert names[0] == "fedavg-dp-image-eps1"
    assert names[-2:] == ["fedavg", "fedavg-secagg"]
    widths = [bar.get_width() for bar in seconds.patches]
    assert widths == pytest.approx([11.0] * 6)
    assert [bar.get_width() for bar in megabytes.patches] == pytest.approx([2.0] * 5 + [5.0])
    assert [text.get_text().strip() for text in megabytes.texts][-1] == "5.00"


def test_a_grid_that_protects_nothing_has_neither_picture(private, cells, results_dir):
    plain = GridResults(read_grid_runs(cells, results_dir))
    assert AgainstEpsilon().subjects(plain, "toy") == ProtectionCost().subjects(plain, "toy") == []
    masked = GridResults([run for run in private.runs if run.arm == "fedavg-secagg"])
    assert AgainstEpsilon().subjects(masked, "toy") == []
    assert len(ProtectionCost().subjects(masked, "toy")) == 1
    assert draw_privacy(plain, "toy") is None
