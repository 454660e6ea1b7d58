"""Shows how fair an arm is: every client's accuracy, with the worst one marked."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import panels, styled
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.style import say_if_empty
from medfl.results.runs import Run

DOT, WORST, MEAN = "#56B4E9", "#D55E00", "#000000"


def client_accuracies(run: Run) -> list[float]:
    """Test accuracy of each client of a finished run, where its test fold has samples."""
    if not run.completed or not run.record:
        return []
    tests = [client.test for client in run.record.clients.values()]
    return [test.accuracy for test in tests if test and test.accuracy is not None]


class Clients(GridFigure):
    """Every client's accuracy, in a line for each arm."""

    title = "Fairness between clients"
    needs = "finished runs whose clients have test samples"

    def caption(self, subject: Subject) -> str:
        """What dots, triangles and bars are."""
        return (
            f"{subject.place}: test accuracy of every client with every seed; the worst client of "
            "each seed is a triangle, the black bar is the mean of clients."
        )

    def draw(self, subject: Subject) -> Figure:
        """A panel for each partition; one without a finished run says so."""
        return draw_clients(subject.results, subject.dataset, subject.labels)


@styled
def draw_clients(results: GridResults, dataset: str, labels: dict[str, str]) -> Figure:
    """Draw one panel per partition, one line per arm, one dot per client and seed."""
    rows, columns = panels(len(results.partitions), 2)
    height = 0.27 * len(results.arms) + 0.9
    figure = Figure(figsize=(4.4 * columns + 1.0, height * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis, partition in zip(axes.flat, results.partitions, strict=False):
        for place, arm in enumerate(results.arms):
            by_seed = [client_accuracies(run) for run in results.at(dataset, partition, arm)]
            _draw_arm(axis, place, [found for found in by_seed if found])
        say_if_empty(axis)
        axis.set_title(partition_title(partition))
        axis.set_yticks(range(len(results.arms)), [labels.get(arm, arm) for arm in results.arms])
    axes.flat[0].invert_yaxis()
    axes.flat[0].set_ylim(len(results.arms) - 0.4, -0.6)
    for axis in axes.flat[len(results.partitions) :]:
        axis.set_visible(False)
    for axis in _lowest(axes, len(results.partitions)):
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("Client's test accuracy (%)")
    handles = [
        Line2D([], [], linestyle="", marker="o", color=DOT, alpha=0.7, label="a client, one seed"),
        Line2D([], [], linestyle="", marker="v", color=WORST, label="worst client of a seed"),
        Line2D(
            [], [], linestyle="", marker="|", markersize=10, color=MEAN, label="mean of clients"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _lowest(axes: np.ndarray, count: int) -> list[Axes]:
    """The last panel in use of each column."""
    columns = axes.shape[1]
    return [
        axes[(count - 1 - column) // columns, column] for column in range(columns) if column < count
    ]


def _draw_arm(axis: Axes, place: int, by_seed: list[list[float]]) -> None:
    count = len(by_seed)
    for number, accuracies in enumerate(by_seed):
        # Seeds lie side by side within the arm's line, so that none hides another.
        level = place + (number - (count - 1) / 2) * min(0.22, 0.6 / max(count, 1))
        values = sorted(100 * value for value in accuracies)
        axis.plot(
            values[1:],
            [level] * (len(values) - 1),
            linestyle="",
            marker="o",
            markersize=4,
            markeredgewidth=0,
            color=DOT,
            alpha=0.7,
        )
        axis.plot(values[0], level, linestyle="", marker="v", markersize=5, color=WORST)
    everyone = [100 * value for accuracies in by_seed for value in accuracies]
    if everyone:
        mean = math.fsum(everyone) / len(everyone)
        axis.plot([mean, mean], [place - 0.36, place + 0.36], color=MEAN, linewidth=1.4)
