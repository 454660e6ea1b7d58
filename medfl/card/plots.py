"""Draw the figures of a card; each shows samples, or numbers that stand in ``card.json`` too."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medfl.card.scan import Scan
from medfl.card.sheet import Sheet
from medfl.pages.figures import GREY, LINES, PALETTE, panels, styled
from medfl.pages.words import shorten

MAX_ROWS = 30  # so many classes or sites are in one figure, the largest ones
MAX_LINES = 8  # so many histograms are in one panel
MAX_BARS = 10  # so many words of one attribute are drawn, the most frequent
MAX_PANELS = 9  # so many attributes are drawn
ANNOTATED = 12  # a heat map of up to so many columns has numbers


@styled
def draw_sheet(sheet: Sheet, title: str) -> Figure:
    """Draw rows of samples with the row's name and count at the left."""
    height, width = sheet.pixels.shape[:2]
    rows = len(sheet.names)
    scale = min(9.0 / width, 1.1 * rows / height)  # inches per pixel: a row has 1.1 at most
    size = (max(4.0, width * scale + 2), height * scale + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    show_sheet(axis, sheet, rows)
    axis.set_title(title, loc="left")
    return figure


def show_sheet(axis: Axes, sheet: Sheet, rows: int, size: float = 8.5) -> None:
    """Lay the first rows of a sheet into a panel."""
    step = sheet.pixels.shape[0] / len(sheet.names)
    axis.imshow(sheet.pixels[: round(rows * step)], interpolation="nearest")
    words = [
        f"{shorten(name or 'unknown', 24)}\n{count:,}"
        for name, count in zip(sheet.names[:rows], sheet.counts[:rows], strict=True)
    ]
    axis.set_yticks((np.arange(rows) + 0.5) * step, words, fontsize=size)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


@styled
def draw_counts(card: dict[str, Any]) -> Figure:
    """Draw the classes as bars, beside class × site (or × official fold) as a heat map."""
    names = largest(card["classes"])
    table = heat_table(card)
    columns = 0 if table is None else len(table[0])
    height = 1.3 + 0.3 * len(names)
    figure = Figure(
        figsize=(5 + (1.8 + 0.75 * columns if columns else 0), height), layout="constrained"
    )
    widths = [1] if table is None else [1, 0.2 + 0.2 * columns]
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    draw_bars(axes[0], {part["name"]: part["count"] for part in names}, "Images")
    if table is not None:
        draw_heat(axes[1], [part["name"] for part in names], *table)
    return figure


def heat_table(card: dict[str, Any]) -> tuple[list[str], np.ndarray, str] | None:
    """Give columns, counts and title: by site, else by official fold, else None."""
    for key, title in (("class_by_site", "site"), ("class_by_fold", "official fold")):
        cross = card[key]
        if len(cross["columns"]) > 1:
            order = [cross["rows"].index(part["name"]) for part in largest(card["classes"])]
            counts = np.array(cross["counts"])[order][:, :MAX_ROWS]
            return cross["columns"][:MAX_ROWS], counts, title
    return None


def largest(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give all classes in their order, or the largest ones where there are very many."""
    if len(parts) <= MAX_ROWS:
        return list(parts)
    return sorted(parts, key=_most)[:MAX_ROWS]


def _most(part: dict[str, Any]) -> float:
    """To sort by: the largest first, and last those whose count is not published."""
    return -float(np.nan_to_num(part["count"]))


def draw_bars(axis: Axes, counts: dict[str, int], label: str) -> None:
    """Draw level bars with their numbers, the first at the top."""
    words = [shorten(name or "unknown", 24) for name in counts]
    bars = axis.barh(range(len(counts)), list(counts.values()), color=PALETTE[0])
    axis.bar_label(bars, [f"{count:,}" for count in counts.values()], padding=3, fontsize=8)
    axis.set_yticks(range(len(counts)), words)
    axis.set_ylim(len(counts) - 0.4, -0.6)
    axis.margins(x=0.18)
    axis.set_xlabel(label)
    axis.grid(visible=False, axis="y")


def draw_heat(
    axis: Axes, rows: Sequence[str], columns: Sequence[str], counts: np.ndarray, title: str
) -> None:
    """Draw each column's shares by class as colours, the counts as numbers."""
    total = np.maximum(np.nansum(counts, axis=0, keepdims=True), 1)
    share = 100 * counts / total  # NaN where a count is not published
    axis.imshow(share, cmap=mpl.colormaps["Blues"], vmin=0, vmax=100, aspect="auto")
    axis.set_xticks(range(len(columns)), [shorten(name or "unknown", 16) for name in columns])
    axis.tick_params(axis="x", rotation=90 if len(columns) > 6 else 20, length=0)
    axis.set_yticks(range(len(rows)), [shorten(name) for name in rows])
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.set_title(f"Images by class and {title}", fontsize=9)
    if len(columns) <= ANNOTATED:
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if share[row, column] > 55 else "black"
            text = "×" if np.isnan(count) else f"{count:,.0f}"
            axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=7.5)


@styled
def draw_intensities(card: dict[str, Any], scan: Scan) -> Figure:
    """Draw histograms of stored values by site and by class, all channels together."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    draw_histograms(axes[0], *site_histograms(card, scan), "site")
    order = [part["name"] for part in card["classes"]]
    chosen = sorted(card["classes"], key=_most)[:MAX_LINES]
    rows = [order.index(part["name"]) for part in chosen if part["count"] > 0]
    draw_histograms(axes[1], [order[k] for k in rows], scan.by_class[rows], scan, "class")
    axes[0].set_ylabel("Share of pixels (%)")
    return figure


def site_histograms(card: dict[str, Any], scan: Scan) -> tuple[list[str], np.ndarray, Scan]:
    """Give the largest sites and their histograms."""
    order = sorted(part["name"] for part in card["sites"])
    chosen = [part["name"] for part in card["sites"] if part["count"] > 0][:MAX_LINES]
    if not any(order):  # no site is stated: a line for the pixels of all images
        return ["all images"], scan.by_site, scan
    rows = np.array([order.index(name) for name in chosen], dtype=np.int64)
    return chosen, scan.by_site[rows], scan


def draw_histograms(
    axis: Axes, names: Sequence[str], counts: np.ndarray, scan: Scan, by: str
) -> None:
    """Draw a line for each name: 64 bins over the shown range."""
    centres = scan.levels.mean(axis=0).reshape(64, -1).mean(axis=1)
    for k, (name, one) in enumerate(zip(names, counts, strict=True)):
        bins = one.reshape(len(one), 64, -1).sum(axis=(0, 2))
        axis.plot(
            centres,
            100 * bins / max(1, bins.sum()),
            color=PALETTE[k % len(PALETTE)],
            linestyle=LINES[k % len(LINES)],
            label=shorten(name or "unknown", 24),
        )
    axis.set_xlabel("Stored value (mean of channels)" if scan.ends.shape[0] > 1 else "Stored value")
    axis.set_title(f"Pixel values by {by}")
    if names:
        axis.legend(fontsize=7.5)


@styled
def draw_attributes(card: dict[str, Any]) -> Figure | None:
    """Draw images per group, and each attribute as a histogram or bars."""
    shown = [one for one in card["attributes"] if one["kind"] != "text" and one["present"]]
    shown = shown[: MAX_PANELS - 1]
    rows, columns = panels(len(shown) + 1, 3)
    figure = Figure(figsize=(3.7 * columns, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    sizes = card["groups"]["sizes"]
    axis = next(axes)
    axis.bar(list(sizes), list(sizes.values()), color=GREY)
    axis.set(title="Images a group (patient, lesion)", xlabel="Images", ylabel="Groups")
    axis.xaxis.get_major_locator().set_params(integer=True)
    for one in shown:
        axis = next(axes)
        if one["kind"] == "number":
            axis.stairs(one["histogram"], one["edges"], fill=True, color=PALETTE[0])
            axis.set_ylabel("Images")
        else:
            words = dict(list(one["values"].items())[:MAX_BARS])
            more = one["distinct"] > len(words)
            rest = f" (the {len(words)} most frequent of {one['distinct']:,} values)" * more
            draw_bars(axis, words, f"Images{rest}")
        axis.set_title(f"{shorten(one['name'], 30)} ({one['missing']:,} missing)")
    for axis in axes:
        axis.set_visible(False)
    return figure


@styled
def draw_together(card: dict[str, Any]) -> Figure | None:
    """Draw which labels go together; None where an image has one class."""
    if card["labels"] is None:
        return None
    names, counts = card["labels"]["together"]["rows"], card["labels"]["together"]["counts"]
    order = [names.index(part["name"]) for part in largest(card["classes"])]
    table = np.array(counts, dtype=float)[np.ix_(order, order)]
    share = 100 * table / np.maximum(table.diagonal()[:, None], 1)
    side = 2.6 + 0.38 * len(order)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(share, cmap=mpl.colormaps["Blues"], vmin=0, vmax=100)
    words = [shorten(names[k]) for k in order]
    axis.set_xticks(range(len(order)), words, rotation=90)
    axis.set_yticks(range(len(order)), words)
    axis.grid(visible=False)
    if len(order) <= ANNOTATED + 3:
        for (row, column), count in np.ndenumerate(table):
            ink = "white" if share[row, column] > 55 else "black"
            text = "×" if np.isnan(count) else f"{count:.0f}"
            axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=6.5)
    figure.colorbar(image, ax=axis, shrink=0.7, label="Share of the row's images (%)")
    return figure


@styled
def draw_card(card: dict[str, Any], scan: Scan, sheet: Sheet | None) -> Figure:
    """Draw one page to glance at: findings, samples, counts, pixel values."""
    figure = Figure(figsize=(11, 12.5), layout="constrained")
    words, samples, counts, values = figure.subplots(
        4, 1, height_ratios=[2.6, 4.2, 2.6, 2.2], squeeze=True
    )
    words.axis("off")
    data, images = card["dataset"], card["images"]
    shape = "×".join(map(str, images["shape"]))
    head = f"{data['title']}: {images['count']:,} images of {shape}, {len(card['classes'])} classes"
    if data["synthetic"]:
        head += "\nSYNTHETIC: no claim about real data follows."
    lines = [head, ""]
    for one in card["findings"][:8]:
        lines += textwrap.wrap(
            f"{one['level'].upper()}: {one['text']}", 125, subsequent_indent="    "
        )
    if len(card["findings"]) > 8:
        lines.append(f"… and {len(card['findings']) - 8} more in card.html")
    words.text(0, 1, "\n".join(lines), va="top", fontsize=9, linespacing=1.35)
    if sheet is None:
        samples.axis("off")
    else:
        show_sheet(samples, sheet, min(8, len(sheet.names)))
        samples.set_title("Samples of each class", loc="left")
    table = heat_table(card)
    if table is None:
        draw_bars(
            counts, {part["name"]: part["count"] for part in largest(card["classes"])}, "Images"
        )
    else:
        draw_heat(counts, [part["name"] for part in largest(card["classes"])], *table)
    draw_histograms(values, *site_histograms(card, scan), "site")
    values.set_ylabel("Share of pixels (%)")
    return figure
