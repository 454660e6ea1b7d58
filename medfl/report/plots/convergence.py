"""Draws learning curves over rounds and over bytes: the mean over seeds, in a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.pages.figures import styled
from medfl.report.curves import as_history, mean_curve, measured
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.curve_data import Curve, curve_data
from medfl.report.plots.style import (
    ArmStyle,
    arm_styles,
    draw_chance,
    legend,
    say_if_empty,
    within,
)
from medfl.report.questions import dotted
from medfl.report.statistics import Summary
from medfl.results import paths
from medfl.results.columns import (
    ACCURACY,
    BALANCED,
    EVERYONE,
    OWN,
    ROUNDS,
    columns_in,
    judged,
)
from medfl.results.frames import read_rounds
from medfl.results.intact import check_file
from medfl.results.record import read_record
from medfl.results.schema import COMPLETED
from medfl.results.tables import History, history_of

# What can be drawn over the rounds: the measured columns of rounds.csv.
DRAWN = {
    column.name: column
    for column in columns_in(ROUNDS)
    if column.source or column.name in ("train_loss", "update_norm")
}
View = Literal["rounds", "bytes", "both"]


class Convergence(GridFigure):
    """How the primary metric grows over rounds and over traffic."""

    title = "Convergence"
    marks = "line: mean over seeds; band: ± one standard deviation over seeds"
    per = "partition"
    needs = "runs, finished or diverged"

    def caption(self, subject: Subject) -> str:
        """What lines, bands and crosses are."""
        apart = len(subject.results.questions(subject.dataset)) > 1
        everyone = "open diamond: for everyone, after the last round, where the line is not; "
        return (
            f"{subject.place}: {subject.metric_words} over rounds and over traffic (logarithmic). "
            "Line: mean over seeds; band: ± one standard deviation; thin line with a cross: a run "
            f"that diverged; level line over traffic: an arm without any; {everyone * apart}"
            f"{dotted(subject.question)}"
        )

    def draw(self, subject: Subject) -> Figure | None:
        """Two panels with a line for each arm."""
        curves = curves_of(subject)
        if not any(curve.finished or curve.stopped for curve in curves.values()):
            return None
        return draw(
            curves,
            subject.styles,
            metric=subject.metric.name,
            labels=subject.labels,
            chance=subject.results.chance(subject.dataset, subject.partition, subject.metric),
        )

    def interactive(self, subject: Subject) -> dict[str, Any]:
        """The same curves for the page's script."""
        chance = subject.results.chance(subject.dataset, subject.partition, subject.metric)
        level = None if chance is None else subject.metric.scale * chance.mean
        return curve_data(curves_of(subject), subject.styles, subject.labels, subject.metric, level)


def curves_of(subject: Subject) -> dict[str, Curve]:
    """The curve of each arm of a partition."""
    assert subject.partition is not None
    curves, dataset = {}, subject.dataset
    everyone = subject.results.primary(dataset, EVERYONE)
    for arm in subject.results.arms:
        there = subject.results.at(dataset, subject.partition, arm)
        runs = [run for run in there if run.record]
        state = subject.results.state(dataset, subject.partition, arm, everyone)
        curves[arm] = Curve(
            [history_of(run) for run in runs if run.completed],
            [history_of(run) for run in runs if not run.completed],
            state.summary if subject.results.marked(dataset, arm, OWN) else None,
        )
    return curves


def plot_convergence(
    source: str | Path | Sequence[str | Path] | Sequence[Mapping[str, Any]] | pd.DataFrame,
    *,
    metric: str | None = None,
    x: View = "rounds",
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draw how runs converged.

    Args:
        source: a run folder; several of them (runs that differ only in their seed become one mean
            line with a band of ± one standard deviation); or a history in memory, as the rows of
            ``rounds.csv``, also as a table of pandas.
        metric: a column of ``rounds.csv``; by default the primary metric on test samples, for a
            history in memory balanced accuracy.
        x: over ``rounds``, over ``bytes`` (logarithmic), or ``both`` side by side.
        title: a heading.
        path: also save it here (the ending decides the format).

    Returns:
        The figure.

    Raises:
        MedflError: for an unknown metric or view, or a folder that is no finished run.
    """
    if metric is None:
        metric = _primary(source)
    if metric not in DRAWN:
        raise MedflError(f"unknown metric `{metric}`{did_you_mean(metric, DRAWN)}")
    if x not in ("rounds", "bytes", "both"):
        raise MedflError(f"unknown view `{x}`{did_you_mean(x, ('rounds', 'bytes', 'both'))}")
    curves = _gather(source)
    figure = draw(curves, arm_styles(list(curves)), metric=metric, x=x, title=title)
    if path is not None:
        figure.savefig(path)
    return figure


def _primary(source: Any) -> str:
    """The primary metric of the first run; of a history balanced accuracy, if it has that."""
    if isinstance(source, str | Path):
        source = [source]
    if isinstance(source, pd.DataFrame):
        known = set(source.columns)
    else:
        items = list(source)
        if items and isinstance(items[0], str | Path):
            record = read_record(Path(items[0], paths.RECORD))
            return judged(record.primary or BALANCED.metric).name
        known = {name for item in items for name in item}
    return BALANCED.name if BALANCED.name in known else ACCURACY.name


def _gather(source: Any) -> dict[str, Curve]:
    """The curves by label, from any of the forms that ``plot_convergence`` accepts."""
    if isinstance(source, pd.DataFrame):
        return {"this run": Curve([as_history(source)])}
    if isinstance(source, str | Path):
        source = [source]
    items = list(source)
    if not items:
        raise MedflError("nothing to plot: give a run folder, several, or a history.")
    if all(isinstance(item, Mapping) for item in items):
        return {"this run": Curve([as_history(pd.DataFrame(items))])}
    records = [read_record(Path(item, paths.RECORD)) for item in items]
    keys = [
        key
        for key in ("dataset", "partition", "arm")
        if key == "arm" or len({getattr(record, key) for record in records}) > 1
    ]
    curves: dict[str, Curve] = {}
    for item, record in zip(items, records, strict=True):
        curve = curves.setdefault(", ".join(getattr(record, key) for key in keys), Curve())
        history = as_history(read_rounds(item))
        check_file(Path(item), paths.ROUNDS, record)
        (curve.finished if record.status == COMPLETED else curve.stopped).append(history)
    return curves


@styled
def draw(
    curves: Mapping[str, Curve],
    styles: dict[str, ArmStyle],
    *,
    metric: str,
    x: View = "both",
    title: str = "",
    labels: Mapping[str, str] | None = None,
    chance: Summary | None = None,
) -> Figure:
    """Draw curves by arm with the given styles, one panel per view, one legend beside them."""
    views = ["rounds", "bytes"] if x == "both" else [x]
    with_legend = len(styles) > 1
    height = max(3.6, 0.21 * len(styles) + 1.2)
    figure = Figure(
        figsize=(4.3 * len(views) + (2.0 if with_legend else 0.4), height), layout="constrained"
    )
    axes = figure.subplots(1, len(views), sharey=True, squeeze=False)[0]
    for axis, view in zip(axes, views, strict=True):
        for place, (arm, curve) in enumerate(curves.items()):
            _draw_curve(axis, curve, styles[arm], metric, view, place, len(curves))
        if chance:
            draw_chance(axis, DRAWN[metric].scale * chance.mean)
        say_if_empty(axis, any(curve.finished for curve in curves.values()))
        _finish(axis, view, metric, first=axis is axes[0])
    if with_legend:
        everyone = any(curve.everyone for curve in curves.values())
        legend(figure, styles, dict(labels or {}), chance is not None, everyone)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _draw_curve(
    axis: Axes, curve: Curve, style: ArmStyle, metric: str, view: str, place: int, count: int
) -> None:
    look: dict[str, Any] = {"color": style.color, "linestyle": style.line, "linewidth": 1.5}
    scale = DRAWN[metric].scale
    points = mean_curve(curve.finished, metric)
    if points and view == "bytes" and points[-1].bytes_total == 0:
        # Nothing travels, so the axis has no place for it: a level line shows the final value.
        axis.axhline(scale * points[-1].mean, **look)
        points = []
    if view == "bytes":
        points = [point for point in points if point.bytes_total > 0]
    if points:
        at = [point.round if view == "rounds" else point.bytes_total / 1e6 for point in points]
        mean = [scale * point.mean for point in points]
        # A line has about seven markers, at places of its own, so that none hides another.
        step = max(1, len(points) // 7)
        axis.plot(
            at, mean, marker=style.marker, markersize=4.5, markevery=(place % step, step), **look
        )
        if any(point.sd for point in points):
            low = within((point.mean - (point.sd or 0.0) for point in points), DRAWN[metric])
            high = within((point.mean + (point.sd or 0.0) for point in points), DRAWN[metric])
            shade = 0.18 if count <= 6 else 0.10
            axis.fill_between(at, low, high, color=style.color, alpha=shade, linewidth=0)
        if curve.everyone:
            end = [at[-1]], [scale * curve.everyone.mean]
            axis.plot(*end, marker="D", markersize=5, color=style.color, mfc="white", zorder=4)
    for history in curve.stopped:
        _draw_stopped(axis, history, style, metric, view)


def _draw_stopped(axis: Axes, history: History, style: ArmStyle, metric: str, view: str) -> None:
    """A diverged run: a thin line that ends in a cross."""
    key, unit = ("round", 1.0) if view == "rounds" else ("bytes_total", 1e6)
    at, values = measured(history, key, metric)
    shown = at > 0 if view == "bytes" else at >= 0
    at, values = at[shown] / unit, DRAWN[metric].scale * values[shown]
    if len(at):
        axis.plot(at, values, color=style.color, linestyle=style.line, linewidth=0.8)
        axis.plot(at[-1], values[-1], marker="x", color=style.color, markersize=8)


def _finish(axis: Axes, view: str, metric: str, first: bool) -> None:
    if view == "rounds":
        axis.set_xlabel("Round")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axis.set_xlabel("Traffic up and down, all clients (MB)")
        log_ticks(axis)
    if first:
        axis.set_ylabel(DRAWN[metric].title)


def log_ticks(axis: Axes) -> None:
    """A logarithmic x axis with readable numbers, few enough not to touch."""
    from matplotlib.ticker import LogLocator

    axis.set_xscale("log")
    low, high = axis.get_xlim()
    decades = high / low
    subs = (1.0,) if decades > 300 else (1.0, 3.0) if decades > 15 else (1.0, 2.0, 5.0)
    axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_locator(NullLocator())
