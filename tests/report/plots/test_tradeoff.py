"""Accuracy against traffic and against heterogeneity."""

from __future__ import annotations

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.plots.style import arm_styles
from medfl.report.plots.tradeoff import Traffic, draw_heterogeneity, draw_traffic
from medfl.results.columns import EVERYONE, OWN
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


def heights(axis, style):
    """The heights of what is drawn in an arm's colour, one list for each line or point."""
    return [list(line.get_ydata()) for line in axis.lines if line.get_color() == style.color]


@pytest.mark.parametrize(
    ("question", "local", "chance"), [(OWN, (61, 41), 62), (EVERYONE, (31, 11), 50)]
)
def test_each_question_has_pictures_of_its_own(cells, results_dir, question, local, chance):
    results = GridResults(read_grid_runs(cells, results_dir))
    styles = arm_styles(results.arms)
    figure = draw_heterogeneity(results, "toy", styles, {}, question)
    assert heights(figure.axes[0], styles["local"])[0] == pytest.approx(local)
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert list(dotted[0].get_ydata()) == pytest.approx([chance, chance])
    figure = draw_traffic(results, "toy", styles, {}, question)
    for axis, height in zip(figure.axes, local, strict=False):
        assert heights(axis, styles["local"])[-1][0] == pytest.approx(height)
    subjects = Traffic().subjects(results, "toy", styles=styles, labels={})
    assert [subject.question for subject in subjects] == [EVERYONE, OWN]
    words = {OWN: "own patients: each client's test", EVERYONE: "for everyone: one model on the"}
    for subject in subjects:
        assert words[subject.question] in Traffic().caption(subject)
        axis = Traffic().draw(subject).axes[0]
        which = {OWN: "own patients", EVERYONE: "for everyone"}[subject.question]
        assert axis.get_ylabel() == f"Test accuracy (%), {which}"


def test_one_picture_is_enough_where_all_clients_use_one_model(cells, results_dir):
    some = [cell for cell in cells if cell.arm in ("fedavg", "fedprox", "centralized")]
    results = GridResults(read_grid_runs(some, results_dir))
    assert [one.question for one in Traffic().subjects(results, "toy")] == [OWN]
