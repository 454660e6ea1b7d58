"""How pictures look: one colour, line and marker an arm, the same in every picture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medfl.files import atomic_path

# Okabe and Ito's palette without its yellow, which is too light for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1.2, 1.4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*", "d", "8")
RC: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Equal results give equal files, so that a pipeline sees no change where there is none.
    "svg.hashsalt": "medfl",
}
DPI = 140

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn."""

    color: str
    line: Any
    marker: str


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function under this module's settings, without touching the user's own."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(RC):
            return function(*args, **kwargs)

    return inner


def arm_styles(arms: Sequence[str], references: Collection[str] = ()) -> dict[str, ArmStyle]:
    """A style for each arm by its place: colours first, then line styles; markers all differ.

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
        styles[arm] = ArmStyle(color, line, MARKERS[number % len(MARKERS)])
    return styles


def legend(figure: Figure, styles: dict[str, ArmStyle], labels: dict[str, str]) -> None:
    """One legend for all panels, beside them, where it can hide nothing."""
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
    figure.legend(handles=handles, loc="outside right upper", handlelength=3.2)


def panels(count: int, most: int) -> tuple[int, int]:
    """Rows and columns for a number of panels, at most ``most`` side by side."""
    rows = -(-count // most)
    return rows, -(-count // rows)


def say_if_empty(axis: Axes) -> None:
    """Say that a panel is empty because no run of it has finished."""
    if not axis.lines:
        axis.text(0.5, 0.5, "no finished run", transform=axis.transAxes, ha="center", va="center")


@styled
def save(figure: Figure, stem: Path, endings: Sequence[str] = (".svg", ".png")) -> Path:
    """Write ``<stem>.svg`` and ``<stem>.png``; give the path of the latter."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is done: do not do it again for each format
    for ending in endings:
        metadata = {"Date": None} if ending == ".svg" else None
        with atomic_path(stem.with_name(stem.name + ending)) as path:
            figure.savefig(path, dpi=DPI, metadata=metadata)
    return stem.with_name(stem.name + ".png")
