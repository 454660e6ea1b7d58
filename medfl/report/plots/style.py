"""Gives each arm one colour, line and marker, the same in every picture."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.pages.figures import GREY, LINES, PALETTE
from medfl.report.questions import CHANCE
from medfl.report.statistics import Summary
from medfl.results.column import Column

SHARES = ("auc_macro", "f1_macro", "ece")  # beside what is shown in per cent
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*", "d", "8")


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn."""

    color: str
    line: Any
    marker: str


def arm_styles(arms: Sequence[str], references: Collection[str] = ()) -> dict[str, ArmStyle]:
    """A style for each arm by its place: colours first, then line styles; no two styles are alike.

    References are grey, so that colours are left to what is compared.
    """
    places = {True: 0, False: 0}
    styles = {}
    for number, arm in enumerate(arms):
        grey = arm in references
        place = places[grey]
        places[grey] += 1
        line = LINES[place % len(LINES)] if grey else LINES[place // len(PALETTE) % len(LINES)]
        color = GREY if grey else PALETTE[place % len(PALETTE)]
        # Where colours and lines come again, each line and colour meets the next marker.
        again = number // (len(LINES) * len(PALETTE))
        styles[arm] = ArmStyle(color, line, MARKERS[(number + again) % len(MARKERS)])
    return styles


def limits(metric: Column) -> tuple[float, float]:
    """The least and the most that a metric can be, as it stands in files."""
    kind = metric.metric or metric.name.removeprefix("val_").removeprefix("test_")
    if kind == "kappa":
        return -1.0, 1.0
    return 0.0, 1.0 if metric.unit == "%" or kind in SHARES else math.inf


def within(values: Iterable[float], metric: Column) -> list[float]:
    """Numbers as readers see a metric, cut to what it can be: no band reaches beyond 100 %."""
    low, high = limits(metric)
    return [metric.scale * min(high, max(low, value)) for value in values]


def spread(summary: Summary, metric: Column) -> tuple[float, float]:
    """Both ends of mean ± standard deviation, as readers see the metric and within its limits."""
    sd = summary.sd or 0.0
    low, high = within((summary.mean - sd, summary.mean + sd), metric)
    return low, high


def draw_chance(axis: Axes, value: float) -> None:
    """A level dotted line: what the metric is worth where no image is looked at."""
    axis.axhline(value, color="black", linestyle=":", linewidth=1.0, zorder=1)


def legend(
    figure: Figure,
    styles: dict[str, ArmStyle],
    labels: dict[str, str],
    chance: bool = False,
    everyone: bool = False,
) -> None:
    """One legend for all panels, beside them, where it can hide nothing.

    Args:
        figure: the figure.
        styles: of each arm.
        labels: what each arm is called.
        chance: whether the line of chance is in it.
        everyone: whether open diamonds are, of answers for everyone beside those of own patients.
    """
    handles = [
        Line2D(
            [],
            [],
            color=style.color,
            linestyle=style.line,
            marker=style.marker,
            markersize=5,
            label=labels.get(arm, arm),
        )
        for arm, style in styles.items()
    ]
    if everyone:
        look: dict[str, Any] = {"linestyle": "", "marker": "D", "markersize": 5, "mfc": "white"}
        handles.append(Line2D([], [], color="black", label="for everyone, in the end", **look))
    if chance:
        handles.append(Line2D([], [], color="black", linestyle=":", linewidth=1.0, label=CHANCE))
    figure.legend(handles=handles, loc="outside right center", handlelength=3.2)


def say_if_empty(axis: Axes, finished: bool = False) -> None:
    """Say why a panel is empty, if it is."""
    if not axis.has_data():
        axis.text(0.5, 0.5, why_empty(finished), transform=axis.transAxes, ha="center", va="center")


def why_empty(finished: bool) -> str:
    """Why a panel is empty: no run of it has finished, or none that has may tell."""
    return "not defined or not published in any run" if finished else "no finished run"
