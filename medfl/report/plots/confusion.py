"""Shows which class is taken for which, in one confusion matrix per arm."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from medfl.pages.figures import styled
from medfl.pages.words import distinct, in_lines
from medfl.report.grid_results import GridResults
from medfl.report.names import arm_label
from medfl.report.plots.base import GridFigure, Subject
from medfl.report.plots.held_back import draw_held_back, held_back
from medfl.report.plots.tiles import BLUES, Tiles, write_shares
from medfl.report.questions import TITLES
from medfl.results.columns import EVERYONE, OWN

ANNOTATE_UP_TO = 8
CLASS_LETTERS = 24
TITLE = 0.45  # inches above all matrices


def mean_confusion(
    results: GridResults, dataset: str, partition: str, arm: str, question: str = OWN
) -> np.ndarray | None:
    """Rows normalised run by run, then the mean over finished seeds: (K, K), true × predicted.

    A class without test samples is a row of NaN, and a cell that is not published is NaN; None
    where no run has a matrix (multi-label, or not published).
    """
    matrices = []
    for run in results.at(dataset, partition, arm):
        said = run.answer(question)
        counts = said.confusion if run.completed else None
        if counts:
            matrix = np.asarray(counts, dtype=float)
            total = matrix.sum(axis=1, keepdims=True)
            if np.isnan(total).any():  # cells that are not published
                total = np.array([[one["n"]] for one in (said.per_class or {}).values()])
            matrices.append(
                np.divide(matrix, total, out=np.full_like(matrix, np.nan), where=total > 0)
            )
    if not matrices:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row that is empty in every seed
        return np.nanmean(matrices, axis=0)


class Confusion(GridFigure):
    """Which class is taken for which, in a matrix for each arm; two where it has two answers."""

    title = "Confusion matrices"
    marks = "share of each true class, mean over seeds"
    per = "partition"
    needs = "finished runs of a dataset with one label per image, whose matrices were kept"
    shown = "folded"

    def caption(self, subject: Subject) -> str:
        """What rows and columns are."""
        assert subject.partition is not None
        minimum = held_back(subject.results, subject.dataset, subject.partition)
        if minimum and not _matrices(subject.results, subject.dataset, subject.partition):
            return (
                f"{subject.place}: confusion matrices are held back, because they would publish "
                f"counts of fewer than {minimum} samples (`report: minimum_cell`). Instead: AUC "
                "of each class against all others, mean over seeds, which gives no count away. "
                "Grey: not published either, because fewer samples are of the class."
            )
        apart = len(subject.results.questions(subject.dataset)) > 1
        both = "; arms whose clients use models of their own have a matrix for everyone's, too"
        return (
            f"{subject.place}: share of each true class (row) by predicted class (column) of "
            f"{subject.samples}{both if apart else ''}; mean over seeds. Grey rows: classes "
            "without test samples." + (" Other grey cells are not published." if minimum else "")
        )

    def draw(self, subject: Subject) -> Figure | None:
        """One matrix for each answer that has one; what is published where they are held back."""
        assert subject.partition is not None
        place = subject.results, subject.dataset, subject.partition
        classes = class_names(subject.results, subject.dataset)
        drawn = draw_confusions(*place, classes, subject.labels)
        if drawn is None and held_back(*place):
            return draw_held_back(*place, classes, subject.labels)
        return drawn

    def words_above(self, subject: Subject) -> str:
        """The title; what is shown instead where matrices are held back."""
        assert subject.partition is not None
        if _matrices(subject.results, subject.dataset, subject.partition):
            return super().words_above(subject)
        return f"{self.title}: {subject.place}\nheld back; AUC of each class instead"


def _matrices(
    results: GridResults, dataset: str, partition: str
) -> dict[tuple[str, str], np.ndarray]:
    """Arm and question → matrix; one for everyone only where it is not that of own patients."""
    asked = [
        (arm, question)
        for arm in results.arms
        for question in (OWN, EVERYONE)
        if question == OWN or results.marked(dataset, arm, OWN)
    ]
    found = {key: mean_confusion(results, dataset, partition, *key) for key in asked}
    return {key: matrix for key, matrix in found.items() if matrix is not None}


def _name(results: GridResults, dataset: str, arm: str, question: str, label: str) -> str:
    """What an answer's matrix is called."""
    if not results.marked(dataset, arm, OWN):
        return label
    if question == EVERYONE:
        label = arm_label(arm, results.marked(dataset, arm, EVERYONE))
    return f"{label}, {TITLES[question]}"


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
    """Draw the matrices side by side in one panel; None where there is no matrix at all."""
    matrices = _matrices(results, dataset, partition)
    if not matrices:
        return None
    size = len(next(iter(matrices.values())))
    known = len(classes) == size
    tiles = Tiles(len(matrices), size)
    names = distinct(classes, CLASS_LETTERS) if known else list(map(str, range(size)))
    beside = 0.5 + 0.085 * max(map(len, names))  # inches that the classes need, and their title
    figsize = (beside + tiles.width + 1.3, 0.7 + TITLE + tiles.height + beside)
    figure = Figure(figsize=figsize, layout="constrained")
    axis = figure.subplots()
    # The size of the figure makes cells square; a fixed aspect would upset the layout.
    axis.imshow(tiles.colours(list(matrices.values())), interpolation="none", aspect="auto")
    axis.set(xlim=(-0.5, tiles.across - 0.5), ylim=(tiles.down - 0.5, -0.5))
    axis.grid(visible=False)
    axis.tick_params(length=0, labelsize=8)
    axis.spines[:].set_visible(False)
    called = [_name(results, dataset, *key, labels.get(key[0], key[0])) for key in matrices]
    arms = in_lines(called, tiles.letters)
    for place, (matrix, title) in enumerate(zip(matrices.values(), arms, strict=True)):
        left, top = tiles.corner(place)
        axis.annotate(
            title,
            (left + size / 2 - 0.5, top - 0.5),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
        )
        if size <= ANNOTATE_UP_TO:
            write_shares(axis, matrix, (left, top))
    tiles.name(axis, names)
    axis.set_ylabel("True class")
    axis.set_xlabel("Predicted class")
    shares = ScalarMappable(Normalize(0, 100), BLUES)
    bar = figure.colorbar(shares, ax=axis, shrink=0.7, aspect=30, pad=0.02)
    bar.set_label("Share of the true class (%)")
    bar.outline.set_visible(False)
    return figure
