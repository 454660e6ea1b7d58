"""How figures look, in cards and reports alike, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from medfl.files import atomic_path
from medfl.files.regular import read_bytes
from medfl.pages.fonts import fit_fonts

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
DPI = 128
COLOURS = 128  # in a PNG: edges of letters and lines need some between the colours of arms

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
    figure.set_dpi(DPI)  # laid out by the widths that letters have in the PNG
    fit_fonts(figure)
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        # Each format would be drawn once more for it, also by an engine that does nothing.
        with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)
    for ending in endings:
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(ending)
        with atomic_path(stem.with_name(stem.name + ending)) as path:
            # By its own name, so that who watches what matplotlib saves sees which picture it is.
            if ending == ".png" and not _has_photographs(figure):
                figure.savefig(path, dpi=DPI, format="rgba")
                _in_few_colours(path, figure.canvas.get_width_height())
            else:
                figure.savefig(path, dpi=DPI, metadata=metadata)
    return stem.with_name(stem.name + ".png")


def _has_photographs(figure: Figure) -> bool:
    sizes = (math.prod(image.get_size()) for image in figure.findobj(AxesImage))
    return any(size > 128**2 for size in sizes)


def _in_few_colours(path: Path, size: tuple[int, int]) -> None:
    """Make a PNG of the plain pixels in a file: a quarter of its bytes, and the same to the eye."""
    whole = Image.frombytes("RGBA", size, read_bytes(path))
    few = whole.convert("RGB").quantize(
        COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    few.save(path, compress_level=7)  # 9 takes a tenth off, and six times as long
