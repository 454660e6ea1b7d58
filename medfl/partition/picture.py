"""Draws a split: its clients and classes as bubbles, and the clients' sizes above them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from medfl.pages.fonts import fit_fonts
from medfl.partition.folds import FOLDS
from medfl.partition.small_cells import MINIMUM_CELL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito (2008): colours that the colour-blind tell apart, too; without black and pale yellow.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
# Folds are grey, so that none looks like a class.
FOLD_COLOURS = ("0.35", "0.6", "0.82")
HIDDEN = "0.6"
_KEY_WIDTH = 1.5  # inches to the right of the bubbles
_SMALLEST = 3.0  # points²: a single sample can still be seen


def draw_split(record: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw a split from its heterogeneity record as a PNG.

    The area of a bubble shows how many training samples of that class a client has, on one scale
    for all; where it has none, there is no bubble. Bars above show the sizes of its folds. A grey
    cross stands for a count that is not published.

    Args:
        record: what ``heterogeneity`` returns.
        path: where to write.
    """
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):  # a dollar sign in a name begins no formula
        _draw(record, Path(path))


def _draw(record: dict[str, Any], path: Path) -> None:
    # Figure itself, and not pyplot, which keeps figures in a global list and looks for a display.
    from matplotlib.figure import Figure

    clients = record["clients"]
    classes = [_short(name) for name in clients[0]["classes"]]
    told = [list(client["classes"].values()) for client in clients]
    counts = np.array(told, dtype=float)  # NaN where a count is not published
    largest = int(np.nanmax(counts, initial=0))
    names = _client_labels(clients)
    # All lengths are in inches: cells keep their size, and the figure grows with their number.
    left = max(map(len, classes)) * 0.085 + 0.65
    across = max(float(np.clip(11 / len(clients), 0.22, 0.55)) * len(clients), 3.8)
    upright = bool(record["client_names"]) and max(map(len, names)) * 0.09 > across / len(names)
    foot = 0.25 + 0.09 * max(map(len, names)) if upright else 0.6
    down, bars, gap, head = 0.42 * len(classes), 1.25, 0.15, 0.62
    below = max(foot, 1.7 - down)
    width, height = left + across + _KEY_WIDTH, below + down + gap + bars + head
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")

    def axes(x: float, y: float, wide: float, high: float, **other: Any) -> Axes:
        return figure.add_axes((x / width, y / height, wide / width, high / height), **other)

    bubbles = axes(left, below, across, down)
    sizes = axes(left, below + down + gap, across, bars, sharex=bubbles)
    keys = axes(left + across, 0, _KEY_WIDTH, below + down)
    diameter = min(across / len(clients), 0.42) * 72 * 0.94
    scale = diameter**2 / max(largest, 1)
    _draw_bubbles(bubbles, counts, scale)
    bubbles.set_yticks(range(len(classes)), classes, fontsize=9)
    bubbles.set_xticks(range(len(clients)), names, fontsize=9, rotation=90 if upright else 0)
    if not record["client_names"]:
        bubbles.set_xlabel("client", fontsize=9)
    _draw_sizes(sizes, clients)
    _draw_key(keys, (_KEY_WIDTH, below + down), largest, scale)
    figure.text(
        0.12 / width, 1 - 0.26 / height, _title(record), fontsize=11, fontweight="bold", va="center"
    )
    figure.text(0.12 / width, 1 - 0.47 / height, _measures(record), fontsize=8.5, va="center")
    fit_fonts(figure)
    figure.savefig(path, format="png", metadata={"Software": None})


def _draw_bubbles(axes: Axes, counts: np.ndarray, scale: float) -> None:
    _draw_hidden(axes, *np.nonzero(np.isnan(counts)))
    client, label = np.nonzero(np.nan_to_num(counts))
    colours = [COLOURS[k % len(COLOURS)] for k in label]
    area = np.maximum(counts[client, label] * scale, _SMALLEST)
    axes.scatter(client, label, area, c=colours, linewidths=0, zorder=2)
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.set_ylim(counts.shape[1] - 0.5, -0.5)
    axes.hlines(range(counts.shape[1]), -0.5, len(counts) - 0.5, color="0.9", lw=0.6, zorder=0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_sizes(axes: Axes, clients: list[dict[str, Any]]) -> None:
    bottom = np.zeros(len(clients))
    for fold, colour in zip(FOLDS, FOLD_COLOURS, strict=True):
        high = np.array([client[fold] for client in clients], dtype=float)
        axes.bar(range(len(clients)), np.nan_to_num(high), 0.7, bottom, color=colour, label=fold)
        bottom += np.nan_to_num(high)
    some = [k for k, client in enumerate(clients) if None in [client[fold] for fold in FOLDS]]
    _draw_hidden(axes, some, bottom[some])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.tick_params(axis="y", labelsize=8)
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.set_ylabel("samples", fontsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1, 1),
        frameon=False,
        fontsize=8.5,
        borderaxespad=0,
        borderpad=0.9,
        reverse=True,
    )


def _draw_hidden(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
    axes.scatter(x, y, 18, c=HIDDEN, marker="x", linewidths=0.9, zorder=2)


def _draw_key(axes: Axes, inches: tuple[float, float], largest: int, scale: float) -> None:
    """What a bubble's area says, to the right of the bubbles; the axes are in inches."""
    axes.set(xlim=(0, inches[0]), ylim=(inches[1], 0))
    axes.axis("off")
    if not largest:  # no count is published
        return
    axes.text(0.2, 0.1, "training samples", fontsize=8.5, va="center")
    y = 0.24
    for value in sorted({_nice(largest), _nice(largest / 4), _nice(largest / 20)}, reverse=True):
        diameter = float(np.sqrt(max(value * scale, _SMALLEST))) / 72
        pitch = max(diameter + 0.04, 0.2)
        axes.scatter([0.42], [y + pitch / 2], [(diameter * 72) ** 2], c="0.45", linewidths=0)
        axes.text(0.75, y + pitch / 2, f"{value:,}", fontsize=8.5, va="center")
        y += pitch


def _client_labels(clients: list[dict[str, Any]]) -> list[str]:
    """Every client's name, or every fifth number where there are many."""
    names = [_short(client["name"]) for client in clients]
    if all(name.isdigit() for name in names) and len(names) > 24:
        return [name if int(name) % 5 == 0 else "" for name in names]
    return names


def _short(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "…"


def _nice(value: float) -> int:
    """The largest 1, 2 or 5 times a power of ten that is not above ``value``; at least 1."""
    power = 10.0 ** np.floor(np.log10(max(value, 1)))
    return int(max(step * power for step in (1, 2, 5) if step * power <= max(value, 1)))


def _title(record: dict[str, Any]) -> str:
    return f"{record['dataset']}, {record['partition']}, seed {record['seed']}"


def _measures(record: dict[str, Any]) -> str:
    classes = record["effective_classes"]
    of = "" if classes["pooled"] is None else f" of {classes['pooled']:.1f}"
    known = (
        ("label JS {:.3f}", record["label_distance"]["pairwise_mean"]),
        ("intensity W1 {:.3f}", record["intensity_distance"]["pairwise_mean"]),
        (f"effective classes {{:.1f}}{of}", classes["mean"]),
        ("size CV {:.2f}", record["sizes"]["cv"]),
    )
    said = ", ".join(words.format(value) for words, value in known if value is not None)
    few = f"× fewer than {record[MINIMUM_CELL]}, or hides one" if MINIMUM_CELL in record else ""
    return "; ".join(filter(None, (said, few)))
