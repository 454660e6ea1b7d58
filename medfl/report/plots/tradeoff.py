"""Draws the primary metric against traffic, and against how different the clients are."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from medfl.pages.figures import panels, styled
from medfl.partition import partition_title
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.curve_lines import log_ticks
from medfl.report.plots.style import ArmStyle, draw_chance, legend, say_if_empty, spread
from medfl.report.questions import about, dotted
from medfl.report.statistics import Summary
from medfl.results.column import Column
from medfl.results.columns import MEGABYTES, OWN, judged

POINT = 1 / 72
ACROSS = 4.8  # inches of the axis of heterogeneity, about
LETTER = 0.058  # inches of a letter of a partition's name


class Traffic(GridFigure):
    """What the primary metric costs in bytes."""

    title = "Primary metric and traffic"
    marks = "mean ± one standard deviation over seeds; level line: an arm without traffic"
    both = True
    needs = "finished runs"

    def caption(self, subject: Subject) -> str:
        """What points and level lines are."""
        return (
            f"{subject.place}: {subject.metric_words} against the traffic of a whole run, mean ± "
            f"standard deviation over seeds; level lines: arms without traffic; "
            f"{dotted(subject.question)}"
        )

    def draw(self, subject: Subject) -> Figure:
        """A panel for each partition; one without a finished run says so."""
        return draw_traffic(
            subject.results, subject.dataset, subject.styles, subject.labels, subject.question
        )


class Heterogeneity(GridFigure):
    """What the primary metric loses where clients differ more."""

    title = "Primary metric and heterogeneity"
    marks = "mean ± one standard deviation over seeds"
    both = True
    needs = (
        "two partitions or more whose splits say how far apart the clients' labels are, which is "
        "not published where report.minimum_cell hides counts of them"
    )

    def caption(self, subject: Subject) -> str:
        """What the axes are."""
        return (
            f"{subject.place}: {subject.metric_words} against the mean Jensen–Shannon distance "
            "between the clients' label distributions, mean ± standard deviation over seeds; "
            f"{dotted(subject.question)}"
        )

    def draw(self, subject: Subject) -> Figure | None:
        """One panel of all partitions."""
        return draw_heterogeneity(
            subject.results, subject.dataset, subject.styles, subject.labels, subject.question
        )


@styled
def draw_traffic(
    results: GridResults,
    dataset: str,
    styles: dict[str, ArmStyle],
    labels: dict[str, str],
    question: str = OWN,
) -> Figure:
    """Draw the primary metric over the bytes of a whole run, one panel per partition; mean ± sd."""
    rows, columns = panels(len(results.partitions_of(dataset)), 2)
    height = max(2.9 * rows, 0.21 * len(styles) + 1.2)
    figure = Figure(figsize=(4.2 * columns + 2.0, height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    lined, metric = False, results.primary(dataset, question)
    for axis, partition in zip(axes.flat, results.partitions_of(dataset), strict=False):
        _draw_traffic_panel(figure, axis, results, dataset, partition, styles, metric)
        say_if_empty(axis, results.any_finished(dataset, partition))
        axis.set_title(partition_title(partition))
        axis.set_ylabel(judged(metric.metric).title + about(results, dataset, question))
        axis.set_xlabel("Traffic of a run (MB); equal traffic side by side")
        axis.tick_params(labelbottom=True)
        chance = results.chance(dataset, partition, metric)
        lined = lined or chance is not None
        if chance:
            draw_chance(axis, metric.scale * chance.mean)
    for axis in axes.flat[: len(results.partitions_of(dataset))]:
        log_ticks(axis)
    for axis in axes.flat[len(results.partitions_of(dataset)) :]:
        axis.set_visible(False)
    legend(figure, styles, labels, chance=lined)
    return figure


def _draw_traffic_panel(
    figure: Figure,
    axis: Axes,
    results: GridResults,
    dataset: str,
    partition: str,
    styles: dict[str, ArmStyle],
    metric: Column,
) -> None:
    scale = metric.scale
    clusters: dict[float, list[tuple[str, Summary]]] = defaultdict(list)
    for arm in styles:
        value = results.state(dataset, partition, arm, metric).summary
        traffic = results.state(dataset, partition, arm, MEGABYTES).summary
        if value is None:
            continue
        if traffic is None or traffic.mean == 0:
            look = styles[arm]
            axis.axhline(scale * value.mean, color=look.color, linestyle=look.line, linewidth=1.1)
            continue
        # Arms within a few per cent of the same traffic would lie on top of one another.
        near = next((key for key in clusters if abs(math.log(key / traffic.mean)) < 0.1), None)
        clusters[near or traffic.mean].append((arm, value))
    for traffic_mb, members in clusters.items():
        gap = min(8.0, 60 / len(members))
        for place, (arm, value) in enumerate(members):
            shift = (place - (len(members) - 1) / 2) * gap * POINT
            offset = ScaledTranslation(shift, 0, figure.dpi_scale_trans)
            axis.update_datalim([(traffic_mb, end) for end in spread(value, metric)])
            _point(axis, traffic_mb, value, metric, styles[arm], transform=axis.transData + offset)
    axis.autoscale_view(scalex=False)
    if clusters:
        low, high = min(clusters), max(clusters)
        margin = max(1.6, (high / low) ** 0.2)
        axis.set_xlim(low / margin, high * margin)


def _point(
    axis: Axes, x: float, value: Summary, metric: Column, style: ArmStyle, **where: Any
) -> None:
    scale = metric.scale
    mean, (low, high) = scale * value.mean, spread(value, metric)
    axis.plot([x, x], [low, high], color=style.color, linewidth=1.1, **where)
    axis.plot([x], [mean], marker=style.marker, color=style.color, markersize=5.5, **where)


@styled
def draw_heterogeneity(
    results: GridResults,
    dataset: str,
    styles: dict[str, ArmStyle],
    labels: dict[str, str],
    question: str = OWN,
) -> Figure | None:
    """Draw the primary metric over the clients' label distance; None for fewer than two."""
    distances = {
        part: results.label_distance(dataset, part) for part in results.partitions_of(dataset)
    }
    known = sorted((value, part) for part, value in distances.items() if value is not None)
    if len(known) < 2:
        return None
    metric = results.primary(dataset, question)
    height = max(4.0, 0.21 * len(styles) + 1.2)
    figure = Figure(figsize=(ACROSS + 2.8, height), layout="constrained")
    axis = figure.subplots()
    for arm, style in styles.items():
        states = [
            (distance, results.state(dataset, part, arm, metric).summary)
            for distance, part in known
        ]
        points = [(distance, summary) for distance, summary in states if summary]
        at = [distance for distance, _ in points]
        mean = [metric.scale * summary.mean for _, summary in points]
        axis.plot(at, mean, color=style.color, linestyle=style.line, linewidth=0.9, alpha=0.45)
        for distance, summary in points:
            _point(axis, distance, summary, metric, style)
    axis.set_xlabel("Jensen–Shannon distance between the clients' labels (mean over seeds)")
    axis.set_ylabel(judged(metric.metric).title + about(results, dataset, question))
    chances = [(at, results.chance(dataset, part, metric)) for at, part in known]
    line = [(at, metric.scale * found.mean) for at, found in chances if found]
    if line:
        axis.plot(*zip(*line, strict=True), color="black", linestyle=":", linewidth=1.0)
    _name_partitions(axis, known, ACROSS)
    legend(figure, styles, labels, chance=bool(line))
    return figure


def _name_partitions(axis: Axes, known: list[tuple[float, str]], inches: float) -> None:
    """Each partition's name above its place; where two would meet, one stands a line higher."""
    low, high = axis.get_xlim()
    unit = (high - low) / inches
    lines: list[float] = []  # where the last name of each line ends
    for distance, partition in known:
        title = partition_title(partition)
        half = LETTER * len(title) / 2 * unit
        middle = min(max(distance, low + half), high - half)
        line = next((k for k, end in enumerate(lines) if end < middle - half), len(lines))
        lines[line : line + 1] = [middle + half + 2 * LETTER * unit]
        axis.axvline(distance, color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.annotate(
            title,
            xy=(middle, 1.0),
            xytext=(0, 2 + 11 * line),
            xycoords=axis.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
        )
