"""Shows how fair an arm is: every client's accuracy on so many test samples, and the worst one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import panels, styled
from medfl.partition import partition_title
from medfl.report.clients import decides
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.style import say_if_empty
from medfl.results.columns import EVERYONE_ACCURACY, OWN
from medfl.results.runs import Run
from medfl.results.schema import Fairness

DOT, WORST, MEAN = "#56B4E9", "#D55E00", "#000000"
EVERYONE_LOOK: dict[str, Any] = {
    **{"linestyle": "", "marker": "D", "markersize": 4.5},
    **{"color": MEAN, "mfc": "white"},
}
LEAST, MOST = 7.0, 42.0  # square points of the smallest and of the largest mark


@dataclass(frozen=True)
class Dot:
    """A client's test accuracy in one run, its test samples, and whether it may be the worst."""

    accuracy: float
    n_test: int
    decides: bool


def client_accuracies(run: Run) -> list[Dot]:
    """Each client of a finished run whose test fold has samples."""
    if not run.completed or not run.record:
        return []
    return [
        Dot(client.test.accuracy, client.n_test or 0, decides(run, name))
        for name, client in run.record.clients.items()
        if client.test and client.test.accuracy is not None
    ]


class Clients(GridFigure):
    """Every client's accuracy, in a line for each arm."""

    title = "Fairness between clients"
    marks = (
        "a dot: a client with one seed; level line: 95 % interval of the worst client; bar: mean"
    )
    needs = "finished runs whose clients have test samples"

    def caption(self, subject: Subject) -> str:
        """What dots, triangles and bars are."""
        apart = len(subject.results.questions(subject.dataset)) > 1
        everyone = "Open diamonds: accuracy for everyone of arms of clients' own models. "
        return (
            f"{subject.place}: test accuracy of every client on its own patients, with every seed; "
            "the worst client of each seed is a triangle on its interval, the black bar is the "
            "mean of clients. The area of a mark is the number of test samples "
            f"({_range(subject)}), but all marks are large enough to see. Clients with "
            f"too few to decide anything are hollow, and not in the mean. {everyone * apart}"
        ).rstrip() + _without_clients(subject)

    def draw(self, subject: Subject) -> Figure:
        """A panel for each partition; one without a finished run says so."""
        return draw_clients(subject.results, subject.dataset, subject.labels)


@styled
def draw_clients(results: GridResults, dataset: str, labels: dict[str, str]) -> Figure:
    """Draw one panel per partition, one line per arm, one dot per client and seed."""
    arms = _with_clients(results, dataset) or list(results.arms)
    largest = max(_sizes(results, dataset), default=1)
    rows, columns = panels(len(results.partitions_of(dataset)), 2)
    height = 0.27 * len(arms) + 0.9
    high = max(height * rows + 0.5, 2.4)  # one arm has the words around it, too
    figure = Figure(figsize=(4.4 * columns + 1.0, high), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    shown = False
    for axis, partition in zip(axes.flat, results.partitions_of(dataset), strict=False):
        marks = _Marks()
        for place, arm in enumerate(arms):
            marks.add(place, results.at(dataset, partition, arm))
        marks.draw(axis, largest)
        shown = _draw_everyone(axis, results, (dataset, partition), arms) or shown
        say_if_empty(axis)
        axis.set_title(partition_title(partition))
        axis.set_yticks(range(len(arms)), [labels.get(arm, arm) for arm in arms])
    axes.flat[0].invert_yaxis()
    axes.flat[0].set_ylim(len(arms) - 0.4, -0.6)
    for axis in axes.flat[len(results.partitions_of(dataset)) :]:
        axis.set_visible(False)
    for axis in _lowest(axes, len(results.partitions_of(dataset))):
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("Client's test accuracy (%)")
    handles = [
        Line2D([], [], linestyle="", marker="o", color=DOT, alpha=0.7, label="a client, one seed"),
        Line2D([], [], linestyle="", marker="o", color=DOT, mfc="none", label="too few samples"),
        Line2D([], [], linestyle="", marker="v", color=WORST, label="worst client of a seed"),
        Line2D(
            [], [], linestyle="", marker="|", markersize=10, color=MEAN, label="mean of clients"
        ),
    ]
    if shown:
        handles.append(Line2D([], [], label="for everyone", **EVERYONE_LOOK))
    figure.legend(handles=handles, loc="outside lower center", ncols=2 * columns)
    return figure


def _draw_everyone(
    axis: Axes, results: GridResults, where: tuple[str, str], arms: Sequence[str]
) -> bool:
    """The accuracy for everyone where it is not that of own patients; whether there is any."""
    marked = [place for place, arm in enumerate(arms) if results.marked(where[0], arm, OWN)]
    states = [(place, results.state(*where, arms[place], EVERYONE_ACCURACY)) for place in marked]
    found = [(place, state.summary.mean) for place, state in states if state.summary]
    at = [EVERYONE_ACCURACY.scale * mean for _, mean in found]
    if found:
        axis.plot(at, [place for place, _ in found], zorder=4, **EVERYONE_LOOK)
    return bool(found)


def _with_clients(results: GridResults, dataset: str) -> list[str]:
    """The arms with a client to show: not those of one run that knows no clients."""
    runs = [run for run in results.runs if run.dataset == dataset]
    found = {run.arm for run in runs if client_accuracies(run)}
    return [arm for arm in results.arms if arm in found]


def _without_clients(subject: Subject) -> str:
    """A sentence on finished arms that have no client to show; empty for none."""
    shown = _with_clients(subject.results, subject.dataset)
    finished = {run.arm for run in subject.results.runs if run.completed}
    gone = [arm for arm in subject.results.arms if arm in finished and arm not in shown]
    return (
        f" Not shown, as their runs know no clients: {', '.join(gone)}." if shown and gone else ""
    )


def _lowest(axes: np.ndarray, count: int) -> list[Axes]:
    """The last panel in use of each column."""
    columns = axes.shape[1]
    return [
        axes[(count - 1 - column) // columns, column] for column in range(columns) if column < count
    ]


def _range(subject: Subject) -> str:
    """``n_test = 3 to 59``, of the clients that the picture shows."""
    sizes = _sizes(subject.results, subject.dataset)
    if not sizes:
        return "none are known"
    few, many = min(sizes), max(sizes)
    return f"n_test = {few}" if few == many else f"n_test = {few} to {many}"


def _sizes(results: GridResults, dataset: str) -> list[int]:
    """The test samples of each client that the picture shows."""
    runs = [run for run in results.runs if run.dataset == dataset]
    return [dot.n_test for run in runs for dot in client_accuracies(run)]


@dataclass
class _Marks:
    """What a panel shows, gathered from all arms: few artists are drawn faster than many.

    Attributes:
        clients: accuracy (%), level, test samples of each client that decides; the worst apart.
        few: the same of those with too few samples.
        worst: the same of the worst clients.
        intervals: (accuracy, level) of both ends of the worst clients' intervals.
        means: the same of the bars of arms.
    """

    clients: list[tuple[float, float, int]] = field(default_factory=list)
    few: list[tuple[float, float, int]] = field(default_factory=list)
    worst: list[tuple[float, float, int]] = field(default_factory=list)
    intervals: list[list[tuple[float, float]]] = field(default_factory=list)
    means: list[list[tuple[float, float]]] = field(default_factory=list)

    def add(self, place: int, runs: Sequence[Run]) -> None:
        """Add the runs of an arm, whose line is at ``place``."""
        shown = [(run, dots) for run in runs if (dots := client_accuracies(run))]
        count = len(shown)
        deciding: list[float] = []
        for number, (run, dots) in enumerate(shown):
            # Seeds lie side by side within the arm's line, so that none hides another.
            level = place + (number - (count - 1) / 2) * min(0.22, 0.6 / max(count, 1))
            fairness = run.record.fairness if run.record else Fairness()
            judged = sorted((dot for dot in dots if dot.decides), key=lambda dot: dot.accuracy)
            deciding += [100 * dot.accuracy for dot in judged]
            for group, of_group in (
                (self.worst, judged[:1]),
                (self.clients, judged[1:]),
                (self.few, [dot for dot in dots if not dot.decides]),
            ):
                group += [(100 * dot.accuracy, level, dot.n_test) for dot in of_group]
            if fairness.worst_low is not None and fairness.worst_high is not None:
                ends = (100 * fairness.worst_low, 100 * fairness.worst_high)
                self.intervals.append([(end, level) for end in ends])
        if deciding:
            mean = math.fsum(deciding) / len(deciding)
            self.means.append([(mean, place - 0.36), (mean, place + 0.36)])

    def draw(self, axis: Axes, largest: int) -> None:
        """Draw all; a mark's area is its share of ``largest``, the most test samples."""
        lines = [(self.intervals, WORST, 0.6, 0.6), (self.means, MEAN, 1.4, 1.0)]
        for ends, colour, width, alpha in lines:
            if ends:
                bars = LineCollection(ends, colors=colour, linewidths=width, alpha=alpha)
                axis.add_collection(bars)
        looks: list[tuple[list[tuple[float, float, int]], str, dict[str, Any]]] = [
            (self.clients, "o", {"facecolors": DOT, "linewidths": 0, "alpha": 0.7}),
            (self.few, "o", {"facecolors": "none", "edgecolors": DOT, "linewidths": 0.6}),
            (self.worst, "v", {"facecolors": WORST, "linewidths": 0, "zorder": 3}),
        ]
        for dots, marker, look in looks:
            if dots:
                accuracies, levels, sizes = zip(*dots, strict=True)
                areas = [max(LEAST, MOST * size / max(largest, 1)) for size in sizes]
                axis.scatter(accuracies, levels, s=areas, marker=marker, **look)
