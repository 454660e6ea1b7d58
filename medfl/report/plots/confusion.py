"""Shows which class is taken for which, in one confusion matrix per arm."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medfl.pages.figures import panels, shorten, styled
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject

ANNOTATE_UP_TO = 8


def mean_confusion(
    results: GridResults, dataset: str, partition: str, arm: str
) -> np.ndarray | None:
    """Rows normalised run by run, then the mean over finished seeds: (K, K), true × predicted.

    A class without test samples is a row of NaN, and a cell that is not published is NaN; None
    where no run has a matrix (multi-label, or not published).
    """
    matrices = []
    for run in results.at(dataset, partition, arm):
        counts = run.test.confusion if run.completed else None
        if counts:
            matrix = np.asarray(counts, dtype=float)
            total = matrix.sum(axis=1, keepdims=True)
            if np.isnan(total).any():  # cells that are not published
                total = np.array([[one["n"]] for one in (run.test.per_class or {}).values()])
            matrices.append(
                np.divide(matrix, total, out=np.full_like(matrix, np.nan), where=total > 0)
            )
    if not matrices:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row that is empty in every seed
        return np.nanmean(matrices, axis=0)


class Confusion(GridFigure):
    """Which class is taken for which, in a matrix for each arm."""

    title = "Confusion matrices"
    per = "partition"
    needs = "finished runs of a dataset with one label per image, whose matrices are published"
    shown = "folded"

    def caption(self, subject: Subject) -> str:
        """What rows and columns are."""
        return (
            f"{subject.place}: share of each true class (row) by predicted class (column) of "
            f"{subject.samples}, mean over seeds. Grey rows: classes without test samples."
        ) + (" Other grey cells are not published." if _holds_back(subject) else "")

    def draw(self, subject: Subject) -> Figure | None:
        """One matrix for each arm that has one."""
        assert subject.partition is not None
        classes = class_names(subject.results, subject.dataset)
        return draw_confusions(
            subject.results, subject.dataset, subject.partition, classes, subject.labels
        )


def _holds_back(subject: Subject) -> bool:
    runs = (run for run in subject.results.runs if run.dataset == subject.dataset)
    return any(run.record and run.record.minimum_cell for run in runs)


def class_names(results: GridResults, dataset: str) -> list[str]:
    """The classes of a dataset, in the order of its records' per-class metrics."""
    for run in results.runs:
        if run.dataset == dataset and run.test.per_class:
            return list(run.test.per_class)
    return []


@styled
def draw_confusions(
    results: GridResults,
    dataset: str,
    partition: str,
    classes: Sequence[str],
    labels: dict[str, str],
) -> Figure | None:
    """Draw one panel per arm; None where there is no matrix at all."""
    found = {arm: mean_confusion(results, dataset, partition, arm) for arm in results.arms}
    matrices = {arm: matrix for arm, matrix in found.items() if matrix is not None}
    if not matrices:
        return None
    size = len(next(iter(matrices.values())))
    words = (
        [shorten(name) for name in classes] if len(classes) == size else list(map(str, range(size)))
    )
    rows, columns = panels(len(matrices), 4)
    side = max(1.7, 0.29 * size)
    figure = Figure(
        figsize=(side * columns + 2.2, (side + 0.35) * rows + 1.1), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat[len(matrices) :]:
        axis.set_visible(False)
    for place, (arm, matrix) in enumerate(matrices.items()):
        axis = axes.flat[place]
        image = _draw_matrix(axis, matrix)
        axis.set_title(labels.get(arm, arm))
        left, bottom = place % columns == 0, place + columns >= len(matrices)
        axis.set_yticks(range(size), words if left else [""] * size)
        axis.set_xticks(range(size), words if bottom else [""] * size, rotation=90)
    figure.supylabel("True class", fontsize=9)
    figure.supxlabel("Predicted class", fontsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=30, pad=0.02)
    bar.set_label("Share of the true class (%)")
    bar.outline.set_visible(False)
    return figure


def _draw_matrix(axis: Axes, matrix: np.ndarray) -> mpl.image.AxesImage:
    colours = mpl.colormaps["Blues"].with_extremes(bad="#d9d9d9")
    image = axis.imshow(100 * matrix, cmap=colours, vmin=0, vmax=100)
    axis.grid(visible=False)
    axis.tick_params(length=0, labelsize=7.5)
    axis.spines[:].set_visible(False)
    if len(matrix) <= ANNOTATE_UP_TO:
        for (row, column), share in np.ndenumerate(matrix):
            if np.isfinite(share):
                ink = "white" if share > 0.55 else "black"
                text = f"{100 * share:.0f}"
                axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=6.5)
    return image
