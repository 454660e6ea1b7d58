"""What stands in the pictures: words that nothing covers, also where there is nothing to draw."""

from __future__ import annotations

import math
import shutil
from itertools import pairwise

from matplotlib.backends.backend_agg import FigureCanvasAgg

from medfl.report.grid_results import GridResults
from medfl.report.plots.clients import draw_clients
from medfl.report.plots.confusion import draw_confusions
from medfl.report.plots.convergence import plot_convergence
from medfl.report.plots.style import arm_styles
from medfl.report.plots.tradeoff import draw_heterogeneity, draw_traffic
from medfl.results.runs import read_grid_runs


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
