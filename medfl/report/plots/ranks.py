"""Draws the diagram of mean ranks over data sets, with bars over arms that are not told apart."""

from __future__ import annotations

from matplotlib.figure import Figure

from medfl.pages.figures import GREY, PALETTE, styled
from medfl.report.statistics.over_datasets import OverDatasets

ROW = 0.24  # inches that a name takes


@styled
def draw_ranks(found: OverDatasets) -> Figure:
    """A critical-difference diagram whose bars come from p-values (Demšar, JMLR 7, 2006, fig. 1).

    The best arm stands at the top left. Names of the better half stand at the left, of the others
    at the right, each at the height of its line, so that none meets another.
    """
    count, half = len(found.arms), (len(found.arms) + 1) // 2
    bars = found.together
    depth = 1.0 + 0.5 * len(bars)
    figure = Figure(figsize=(7.2, ROW * (half + depth) + 0.7), layout="constrained")
    axis = figure.subplots()
    axis.set_xlim(1, count)
    axis.set_ylim(half + depth, 0)
    axis.xaxis.tick_top()
    axis.set_xticks(range(1, count + 1))
    axis.xaxis.set_label_position("top")
    axis.set_xlabel(f"mean rank over {len(found.datasets)} data sets (1 is best)")
    axis.yaxis.set_visible(False)
    axis.grid(False)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.spines["top"].set_visible(True)
    for place, (arm, rank) in enumerate(zip(found.arms, found.ranks, strict=True)):
        left = place < half
        height = depth + (place if left else count - 1 - place) + 0.5
        side = 1 if left else count
        axis.plot([rank, rank, side], [0, height, height], color=GREY, linewidth=0.9)
        axis.annotate(
            f"{arm} ({rank:.2f})",
            (side, height),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            annotation_clip=False,
        ).set_parse_math(False)
    for number, (first, last) in enumerate(bars):
        ends = [found.ranks[first] - 0.04, found.ranks[last] + 0.04]
        axis.plot(ends, [0.6 + 0.5 * number] * 2, color=PALETTE[0], linewidth=3.5)
    return figure
