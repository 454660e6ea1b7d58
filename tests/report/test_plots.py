from __future__ import annotations

import math
import shutil
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from medfl.errors import MedflError
from medfl.report.figures import draw_figures
from medfl.report.grid_results import GridResults
from medfl.report.plots.clients import client_accuracies, draw_clients
from medfl.report.plots.confusion import draw_confusions, mean_confusion
from medfl.report.plots.convergence import plot_convergence
from medfl.report.plots.registry import FIGURES
from medfl.report.plots.style import arm_styles
from medfl.report.plots.tradeoff import draw_heterogeneity, draw_traffic
from medfl.results.runs import read_grid_runs


def lines(axis, length):
    """The lines of an axis that have this many points."""
    return [line for line in axis.lines if len(line.get_xdata()) == length]


def runs(results_dir, arm, partition="dirichlet-0.5"):
    return [results_dir / "runs/toy" / partition / arm / f"seed{seed}" for seed in range(3)]


def legend_words(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def overlapping_texts(figure):
    """Pairs of words that lie on top of one another once the figure is laid out."""
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = []
    for axis in figure.axes:
        if axis.get_visible():
            level = [text for text in axis.texts if text.get_rotation() % 90 == 0]
            words = [axis.title, axis.xaxis.label, axis.yaxis.label, *level]
            for side in (axis.xaxis, axis.yaxis):
                low, high = sorted(side.get_view_interval())
                words += [
                    tick.label1 for tick in side.get_major_ticks() if low <= tick.get_loc() <= high
                ]
            boxes += [(word.get_text(), word.get_window_extent(renderer)) for word in words]
    for legend in figure.legends:
        boxes.append(("legend", legend.get_window_extent(renderer)))
    boxes = [(word, box) for word, box in boxes if word and box.width > 0]
    return [
        (one, other)
        for place, (one, box) in enumerate(boxes)
        for other, box2 in boxes[place + 1 :]
        if box.overlaps(box2)
        and min(box.y1, box2.y1) - max(box.y0, box2.y0) > 1
        and min(box.x1, box2.x1) - max(box.x0, box2.x0) > 1
    ]


def slanted_texts(figure):
    return sorted(
        (text for axis in figure.axes for text in axis.texts if text.get_rotation() % 90), key=left
    )


def left(text):
    """Where a laid out text begins, in pixels."""
    return text.get_window_extent().x0


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


def test_styles_tell_fourteen_arms_apart_and_leave_references_grey():
    arms = [f"arm{number}" for number in range(14)]
    styles = arm_styles(arms, references=["arm0"])
    assert len({(style.color, str(style.line)) for style in styles.values()}) == 14
    assert len({style.marker for style in styles.values()}) == 14
    assert [arm for arm, style in styles.items() if style.color == "#777777"] == ["arm0"]


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


def test_clients_panel_shows_each_client_and_marks_the_worst(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir))
    run = results.at("toy", "iid", "fedavg")[0]
    assert client_accuracies(run) == pytest.approx([0.70, 0.80, 0.85])
    figure = draw_clients(results, "toy", {"fedbn": "fedbn †"})
    panel = figure.axes[0]
    triangles = [line for line in panel.lines if line.get_marker() == "v"]
    assert len(triangles) == 5 * 3  # arms × seeds
    assert "fedbn †" in [label.get_text() for label in panel.get_yticklabels()]


def test_a_panel_without_a_finished_run_says_so(cells, results_dir):
    shutil.rmtree(results_dir / "runs/toy/iid")
    results = GridResults(read_grid_runs(cells, results_dir, partial=True))
    styles = arm_styles(results.arms)
    for figure in (draw_clients(results, "toy", {}), draw_traffic(results, "toy", styles, {})):
        said = {
            axis.get_title(): [text.get_text() for text in axis.texts if text.get_text()]
            for axis in figure.axes
        }
        assert said["IID"] == ["no finished run"]
        assert said["Dirichlet α = 0.5"] == []


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


def test_words_do_not_overlap_with_many_arms_and_partitions(tmp_path, fake):
    partitions = ("iid", "dirichlet-0.5", "dirichlet-0.1", "site")
    arms = ["centralized", *(f"algorithm-{number}" for number in range(13))]
    cells = fake.grid(["toy"], partitions, arms, [0])
    for place, cell in enumerate(cells):
        js = {"iid": 0.05, "dirichlet-0.5": 0.40, "dirichlet-0.1": 0.6, "site": 0.41}[
            cell.partition
        ]
        traffic = 0 if cell.arm == "centralized" else 2_000_000 * (1 + place % 2)
        fake.write_run(tmp_path, cell, [0.3, 0.6], js=js, bytes_per_round=traffic)
    results = GridResults(read_grid_runs(cells, tmp_path))
    styles = arm_styles(arms)
    folders = [run.folder for run in results.runs if run.partition == "iid"]
    for figure in (
        plot_convergence(folders, x="both", title="toy, IID"),
        draw_clients(results, "toy", {}),
        draw_traffic(results, "toy", styles, {}),
        draw_heterogeneity(results, "toy", styles, {}),
        draw_confusions(results, "toy", "iid", [], {}),
    ):
        assert figure is not None
        assert overlapping_texts(figure) == []
        for one, other in pairwise(slanted_texts(figure)):
            lines_apart = math.sin(math.radians(one.get_rotation())) * (left(other) - left(one))
            assert lines_apart > one.get_fontsize() * figure.dpi / 72


def test_all_pictures_are_drawn_as_png_and_svg_and_the_same_each_time(tmp_path, fake):
    written = fake.write_results(tmp_path, ("iid",))
    cells = [cell for cell in written if cell.arm in ("centralized", "fedprox")]
    shutil.rmtree(tmp_path / "runs/toy/iid/fedprox/seed1")
    results = GridResults(read_grid_runs(cells, tmp_path, partial=True))
    one, two = tmp_path / "one", tmp_path / "two"
    pictures = draw_figures(results, one)
    drawn = [picture for picture in pictures if picture.path]
    stems = [picture.path.stem for picture in drawn]
    known = ["convergence_toy_iid", "clients_toy", "traffic_toy", "confusion_toy_iid"]
    assert [stem for stem in stems if stem in known] == known
    assert "heterogeneity_toy" not in stems, "it needs two partitions"
    ends = {"partition": "_toy_iid", "dataset": "_toy"}
    every = [f"{name}{ends[FIGURES.load(name).per]}" for name in FIGURES]
    assert stems == [stem for stem in every if stem in stems], "the registry's order"
    draw_figures(results, two)
    names = sorted(path.name for path in one.iterdir())
    assert len(names) == 2 * len(drawn)
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
