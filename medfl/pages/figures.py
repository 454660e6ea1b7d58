"""How figures look, in cards and reports alike, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure

from medfl.files import atomic_path
from medfl.pages.fonts import fit_fonts
from medfl.pages.one_pass import POINTS, OnePass

# Okabe and Ito's palette without its yellow, which is too light for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1.2, 1.4)))
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
    "text.parse_math": False,  # a dollar sign in a name begins no formula
    "pdf.fonttype": 42,  # letters stay letters: journals ask for it
    # Equal results give equal files, so that a pipeline sees no change where there is none.
    "svg.hashsalt": "medfl",
}
UNLAID: Any = {"figure.autolayout": False, "figure.constrained_layout.use": False}
DPI = 128

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function under this module's settings, without touching the user's own."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(RC):
            return function(*args, **kwargs)

    return inner


def panels(count: int, most: int) -> tuple[int, int]:
    """Rows and columns for a number of panels, at most ``most`` side by side."""
    rows = -(-count // most)
    return rows, -(-count // rows)


@styled
def save(figure: Figure, stem: Path, endings: Sequence[str] = (".svg", ".png")) -> Path:
    """Write ``<stem>.svg`` and ``<stem>.png``, or other endings; give the path of the PNG."""
    before = figure.canvas
    OnePass(figure, DPI)
    try:
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            # Each format would be drawn once more for it, also by an engine that does nothing.
            with mpl.rc_context(UNLAID):
                figure.set_layout_engine(None)
        for ending in endings:
            dpi = POINTS if ending in OnePass.ENDINGS else DPI
            if dpi == DPI:
                fit_fonts(figure)
            with atomic_path(stem.with_name(stem.name + ending)) as path:
                # By its own name, so that who watches what is saved sees which picture it is.
                undated = {"CreationDate": None} if ending == ".pdf" else None
                figure.savefig(path, dpi=dpi, metadata=undated)
    finally:
        figure.set_canvas(before)
    return stem.with_name(stem.name + ".png")
