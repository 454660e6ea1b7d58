"""Shows how well each class is told from the others where confusion matrices are held back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from medfl.pages.figures import styled
from medfl.pages.words import distinct
from medfl.report.grid_results import GridResults
from medfl.report.plots.tiles import BLUES

LETTERS = 24  # of a class or an arm
CELL, ROW = 0.46, 0.27  # inches that a number needs, across and down


def held_back(results: GridResults, dataset: str, partition: str) -> int | None:
    """The smallest count that finished runs of a partition publish; None where they publish all.

    None also for images with several labels, which have no confusion matrix.
    """
    runs = [run for arm in results.arms for run in results.at(dataset, partition, arm)]
    records = [run.record for run in runs if run.record and run.completed]
    minima = (one.minimum_cell for one in records if one.test.subset_accuracy is None)
    return max((one for one in minima if one), default=None)


def class_aucs(
    results: GridResults, dataset: str, partition: str, classes: Sequence[str]
) -> np.ndarray:
    """(arms, classes) AUC of each class against the others, mean over seeds; NaN: not published.

    It is of each client's own patients.
    """
    found = np.full((len(results.arms), len(classes)), math.nan)
    for row, arm in enumerate(results.arms):
        said = [run.test.per_class or {} for run in results.at(dataset, partition, arm)]
        for column, name in enumerate(classes):
            values = [one.get(name, {}).get("auc") for one in said]
            known = [value for value in values if value is not None]
            if known and len(known) == len(said):
                found[row, column] = math.fsum(known) / len(known)
    return found


@styled
def draw_held_back(
    results: GridResults,
    dataset: str,
    partition: str,
    classes: Sequence[str],
    labels: dict[str, str],
) -> Figure | None:
    """Draw a row for each arm and a column for each class; None where no class is known."""
    if not classes:
        return None
    shares = class_aucs(results, dataset, partition, classes)
    count, size = shares.shape
    names = distinct(classes, LETTERS)
    arms = distinct([labels.get(arm, arm) for arm in results.arms], LETTERS)
    beside, below = (0.5 + 0.085 * max(map(len, words)) for words in (arms, names))
    width = max(beside + CELL * size + 0.5, 6.0)
    minimum = held_back(results, dataset, partition)
    why = (
        f"Grey: fewer than {minimum} test samples are of the class, so nothing of it is published. "
        "Confusion matrices would publish such counts, too (report: minimum_cell)."
    )
    figure = Figure(figsize=(width, ROW * count + below + 1.4), layout="constrained")
    axis = figure.subplots()
    axis.imshow(
        np.ma.masked_invalid(shares), cmap=BLUES, vmin=0.5, vmax=1, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    axis.grid(visible=False)
    axis.tick_params(length=0, labelsize=8)
    axis.spines[:].set_visible(False)
    axis.set_yticks(range(count), arms)
    axis.set_xticks(range(size), names, rotation=90)
    for (row, column), share in np.ndenumerate(shares):
        if np.isfinite(share):
            ink = "white" if share > 0.8 else "black"
            axis.text(
                column, row, f"{share:.2f}", ha="center", va="center", color=ink, fontsize=7.5
            )
    axis.set_xlabel("Class\n\n" + fill(why, int(width * 12)))
    return figure
