"""Draws the lines of learning curves: over rounds or over bytes, with a band of one sd."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from medfl.report.curves import mean_curve, measured
from medfl.report.plots.curve_data import Curve
from medfl.report.plots.style import ArmStyle, within
from medfl.results.columns import ROUNDS, columns_in
from medfl.results.tables import History

# What can be drawn over the rounds: the measured columns of rounds.csv.
DRAWN = {
    column.name: column
    for column in columns_in(ROUNDS)
    if column.source or column.name in ("train_loss", "update_norm")
}


def draw_curve(
    axis: Axes, curve: Curve, style: ArmStyle, metric: str, view: str, place: int, count: int
) -> None:
    """Draw an arm's mean with its band, and the runs that diverged.

    Args:
        axis: the panel.
        curve: the arm's histories.
        style: how the arm is drawn.
        metric: a column of ``DRAWN``.
        view: ``rounds`` or ``bytes``.
        place: the arm's place among those of the panel.
        count: how many arms the panel has.
    """
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


def name_axes(axis: Axes, view: str, metric: str, first: bool) -> None:
    """Name a panel's axes; the level one of the first panel alone."""
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
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    decades = high / low
    subs = (1.0,) if decades > 300 else (1.0, 3.0) if decades > 15 else (1.0, 2.0, 5.0)
    axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_locator(NullLocator())
