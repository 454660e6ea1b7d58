"""Where confusion matrices lie in one picture, whose pixels are their cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from medfl.pages.figures import panels

NUMBER_SIZE = 7.5
POINT = 1 / 72
NONE = "#d9d9d9"
# In steps of 5 %, of which the first can be told from the page.
BLUES = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.06, 1, 20))).with_extremes(bad=NONE)


@dataclass(frozen=True)
class Tiles:
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
        """The picture, (rows, columns, RGBA) in bytes; what no matrix covers is transparent."""
        picture = np.zeros((self.down, self.across, 4), np.uint8)
        for place, matrix in enumerate(matrices):
            left, top = self.corner(place)
            shown = BLUES(np.ma.masked_invalid(matrix), bytes=True)
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


def write_shares(axis: Axes, matrix: np.ndarray, corner: tuple[int, int]) -> None:
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
