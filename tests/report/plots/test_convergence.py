"""Curves over rounds and over traffic."""

from __future__ import annotations

import math

import pytest

from medfl.errors import MedflError
from medfl.report.plots.notebook import plot_convergence


def lines(axis, length):
    """The lines of an axis that have this many points."""
    return [line for line in axis.lines if len(line.get_xdata()) == length]


def runs(results_dir, arm, partition="dirichlet-0.5"):
    return [results_dir / "runs/toy" / partition / arm / f"seed{seed}" for seed in range(3)]


def legend_words(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_several_seeds_become_their_mean_and_a_band_of_one_sd(results_dir):
    figure = plot_convergence(runs(results_dir, "fedavg"))
    axis = figure.axes[0]
    (line,) = lines(axis, 3)
    # final accuracies .70 .74 .72: mean 72, sd 2
    assert list(line.get_ydata()) == pytest.approx([30, 50, 72])
    (band,) = axis.collections
    ends = band.get_paths()[0].vertices
    assert {round(float(y), 6) for x, y in ends if x == 2} == {70.0, 74.0}


def test_one_folder_and_a_history_draw_a_line_without_a_band(results_dir):
    folder = runs(results_dir, "fedavg")[0]
    history = [
        {"round": 0, "bytes_total": 0, "test_accuracy": 0.3},
        {"round": 1, "bytes_total": 10, "test_accuracy": math.nan},
        {"round": 2, "bytes_total": 20, "test_accuracy": 0.7},
    ]
    for source, expected in (
        (folder, [30, 50, 70]),
        (str(folder), [30, 50, 70]),
        (history, [30, 70]),
    ):
        axis = plot_convergence(source).axes[0]
        assert list(axis.lines[0].get_ydata()) == pytest.approx(expected)
        assert not axis.collections
        assert axis.get_xlabel() == "Round"


def test_arms_become_lines_and_partitions_are_told_apart(results_dir):
    two = plot_convergence([*runs(results_dir, "fedavg"), *runs(results_dir, "fedprox")])
    assert legend_words(two) == ["fedavg", "fedprox"]
    four = plot_convergence([*runs(results_dir, "fedavg"), *runs(results_dir, "fedavg", "iid")])
    assert legend_words(four) == ["dirichlet-0.5, fedavg", "iid, fedavg"]


def test_bytes_view_is_logarithmic_and_shows_arms_without_traffic_as_level(results_dir):
    figure = plot_convergence([*runs(results_dir, "fedavg"), *runs(results_dir, "local")], x="both")
    rounds, traffic = figure.axes
    assert len(lines(rounds, 3)) == 2
    assert traffic.get_xscale() == "log"
    curve, level = traffic.lines
    assert list(curve.get_xdata()) == [2, 4]  # MB; round 0 costs nothing and has no place
    assert list(level.get_ydata()) == pytest.approx([41, 41])


def test_diverged_run_is_a_thin_line_that_ends_in_a_cross(results_dir, fake):
    cell = fake.Cell("toy", "iid", "fedavg", 9)
    folder = fake.write_run(results_dir, cell, [0.3, 0.2], status="diverged")
    (line, cross) = plot_convergence(folder).axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([30, 20])
    assert cross.get_marker() == "x"
    assert list(cross.get_ydata()) == pytest.approx([20])


def test_plot_is_saved_where_asked(results_dir, tmp_path):
    path = tmp_path / "curve.png"
    plot_convergence(runs(results_dir, "fedavg"), path=path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_bad_requests_are_refused(results_dir, tmp_path):
    folder = runs(results_dir, "fedavg")[0]
    with pytest.raises(MedflError, match="did you mean `test_accuracy`"):
        plot_convergence(folder, metric="test_acuracy")
    with pytest.raises(MedflError, match="unknown view"):
        plot_convergence(folder, x="hours")
    with pytest.raises(MedflError, match="not the folder of a finished run"):
        plot_convergence(tmp_path / "nowhere")
    with pytest.raises(MedflError, match="nothing to plot"):
        plot_convergence([])
