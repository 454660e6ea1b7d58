"""Draws the expected best of k points of each arm, a panel for each dataset and partition."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medfl.pages.figures import panels, styled
from medfl.partition import partition_title
from medfl.report.plots.style import arm_styles, legend, say_if_empty
from medfl.report.searches import Curves, title_of
from medfl.results.columns import judged
from medfl.results.runs import REFERENCE_ARMS


@styled
def draw_best_of_k(curves: Curves, metrics: Mapping[str, str]) -> Figure:
    """Draw the curves.

    Args:
        curves: as ``mean_curves`` gives them.
        metrics: dataset → the metric on validation samples.
    """
    places = list(dict.fromkeys((dataset, partition) for dataset, partition, _ in curves))
    arms = list(dict.fromkeys(arm for *_, arm in curves))
    styles = arm_styles(arms, [arm for arm in arms if arm in REFERENCE_ARMS])
    rows, columns = panels(len(places), 3)
    figure = Figure(figsize=(3.2 * columns + 1.8, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(places) :]:
        axis.set_visible(False)
    for axis, (dataset, partition) in zip(axes.flat, places, strict=False):
        metric = judged(metrics[dataset])
        for arm in arms:
            curve = curves.get((dataset, partition, arm), [])
            if any(map(math.isfinite, curve)):
                style = styles[arm]
                axis.plot(
                    range(1, len(curve) + 1),
                    [metric.scale * value for value in curve],
                    color=style.color,
                    linestyle=style.line,
                    marker=style.marker,
                    markersize=4,
                )
        say_if_empty(axis, finished=True)
        axis.set_title(f"{dataset}, {partition_title(partition)}", parse_math=False)
        axis.set_xlabel("k, points of the search space")
        axis.set_ylabel(title_of(metric))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle("Best of k points, validation")
    legend(figure, styles, {})
    return figure
