"""Shows which class is taken for which, in one confusion matrix per arm."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from medfl.pages.figures import panels, styled
from medfl.pages.words import distinct, in_lines
from medfl.report.grid_results import GridResults
from medfl.report.plots.base import GridFigure, Subject

ANNOTATE_UP_TO = 8
NUMBER_SIZE = 7.5
CLASS_LETTERS = 24
POINT = 1 / 72
TITLE = 0.45  # inches above all matrices
NONE = "#d9d9d9"
# In steps of 5 %, of which the first can be told from the page.
BLUES = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.06, 1, 20))).with_extremes(bad=NONE)


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
    marks = "share of each true class, mean over seeds"
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
    """Draw one matrix per arm, side by side in one panel; None where there is no matrix at all."""
    found = {arm: mean_confusion(results, dataset, partition, arm) for arm in results.arms}
    matrices = {arm: matrix for arm, matrix in found.items() if matrix is not None}
    if not matrices:
        return None
    size = len(next(iter(matrices.values())))
    known = len(classes) == size
    tiles = _Tiles(len(matrices), size)
    names = distinct(classes, CLASS_LETTERS) if known else list(map(str, range(size)))
    beside = 0.5 + 0.085 * max(map(len, names))  # inches that the classes need, and their title
    figsize = (beside + tiles.width + 1.3, 0.7 + TITLE + tiles.height + beside)
    figure = Figure(figsize=figsize, layout="constrained")
    axis = figure.subplots()
    # The size of the figure makes cells square; a fixed aspect would upset the layout.
    axis.imshow(tiles.colours(list(matrices.values())), interpolation="nearest", aspect="auto")
    axis.set(xlim=(-0.5, tiles.across - 0.5), ylim=(tiles.down - 0.5, -0.5))
    axis.grid(visible=False)
    axis.tick_params(length=0, labelsize=8)
    axis.spines[:].set_visible(False)
    arms = in_lines([labels.get(arm, arm) for arm in matrices], tiles.letters)
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
            _write_shares(axis, matrix, (left, top))
    tiles.name(axis, names)
    axis.set_ylabel("True class")
    axis.set_xlabel("Predicted class")
    shares = ScalarMappable(Normalize(0, 100), BLUES)
    bar = figure.colorbar(shares, ax=axis, shrink=0.7, aspect=30, pad=0.02)
    bar.set_label("Share of the true class (%)")
    bar.outline.set_visible(False)
    return figure


@dataclass(frozen=True)
class _Tiles:
    """Where the matrices lie: several in a row, in one picture whose pixels are their cells.

    Attributes:
        count: of matrices.
        size: K, the number of classes.
    """

    count: int
    size: int

    @property
    def cell(self) -> float:
        """Inches of one cell: as large as its number needs, or as its row's name."""
        return max(1.75 / self.size, 0.19)

    @property
    def gaps(self) -> tuple[int, int]:
        """Cells between two matrices side by side, and above each, where its title stands."""
        return math.ceil(0.12 / self.cell), math.ceil(0.42 / self.cell)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of matrices."""
        return panels(self.count, max(1, min(4, int(13 / (self.size * self.cell)))))

    @property
    def across(self) -> int:
        """Cells from the left of the picture to its right."""
        return self.grid[1] * (self.size + self.gaps[0]) - self.gaps[0]

    @property
    def down(self) -> int:
        """Cells from the top of the picture to its bottom."""
        return self.grid[0] * (self.size + self.gaps[1]) - self.gaps[1]

    @property
    def width(self) -> float:
        """Inches."""
        return self.across * self.cell

    @property
    def height(self) -> float:
        """Inches."""
        return self.down * self.cell

    @property
    def letters(self) -> int:
        """How many letters fit into a line above a matrix."""
        return int(self.size * self.cell / 0.095)

    def corner(self, place: int) -> tuple[int, int]:
        """Column and row of the first cell of a matrix."""
        row, column = divmod(place, self.grid[1])
        wide, high = self.gaps
        return column * (self.size + wide), row * (self.size + high)

    def colours(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """The picture, (rows, columns, RGBA); what no matrix covers is transparent."""
        picture = np.zeros((self.down, self.across, 4))
        for place, matrix in enumerate(matrices):
            left, top = self.corner(place)
            shown = BLUES(np.ma.masked_invalid(matrix))
            picture[top : top + self.size, left : left + self.size] = shown
        return picture

    def name(self, axis: Axes, classes: Sequence[str]) -> None:
        """Write the classes to the left of each row of matrices, and below each column."""
        rows, columns = self.grid
        tops = [self.corner(row * columns)[1] for row in range(rows)]
        axis.set_yticks([top + k for top in tops for k in range(self.size)], [*classes] * rows)
        last = [self.corner(place) for place in range(self.count)][-columns:]
        below = sorted(left for left, top in last if top == tops[-1])
        axis.set_xticks(
            [left + k for left in below for k in range(self.size)],
            [*classes] * len(below),
            rotation=90,
        )
        for left, top in last:
            if top != tops[-1]:  # nothing lies below it, though the row is not the last
                for k, name in enumerate(classes):
                    at = (left + k, top + self.size - 0.3)
                    axis.text(*at, name, rotation=90, ha="center", va="top", fontsize=8)


def _write_shares(axis: Axes, matrix: np.ndarray, corner: tuple[int, int]) -> None:
    """Write the share of each cell into it: equal numbers are one outline at several places.

    A picture holds hundreds of numbers, and matplotlib lays out each text by itself.
    """
    places: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for (row, column), share in np.ndenumerate(matrix):
        if np.isfinite(share):
            ink = "white" if share > 0.55 else "black"
            places[f"{100 * share:.0f}", ink].append((corner[0] + column, corner[1] + row))
    to_dots = Affine2D().scale(POINT) + axis.figure.dpi_scale_trans
    for (text, ink), at in places.items():
        numbers = PathCollection([_outline(text)], offsets=at, facecolors=ink, linewidths=0)
        numbers.set_offset_transform(axis.transData)
        numbers.set_transform(to_dots)
        numbers.set_in_layout(False)
        axis.add_collection(numbers, autolim=False)


@cache
def _outline(text: str) -> Path:
    """The outline of a short text in points, around the origin."""
    path = TextPath((0, 0), text, size=NUMBER_SIZE)
    middle = path.get_extents().get_points().mean(axis=0)
    return Path(path.vertices - middle, path.codes)
