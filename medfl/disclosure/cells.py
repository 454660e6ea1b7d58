"""Which cells of a table of counts are hidden, so that no small one can be had by subtraction.

Whoever reads a table is taken to know all its totals, those of rows, of columns and of all: some
file has them. A small cell alone in its row or column would follow from these. So it is hidden
together with three more, the other corners of a rectangle (the hypercube method: Repsilber 1994;
Giessing & Repsilber, "Tools and strategies to protect multiple tables", 2002): t people may move
around it, +t −t / −t +t, and no total changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.float64]
Mask = NDArray[np.bool_]

DEFAULT = 10  # of people's own data; published sets have none
NONE = 0


def is_small(count: ArrayLike, minimum: int) -> Mask:
    """Whether each count is of somebody, and of fewer than ``minimum``."""
    counts = np.asarray(count, dtype=np.float64)
    return (counts > 0) & (counts < minimum)


def shown(count: int, minimum: int) -> int | None:
    """The count; None where it is small."""
    return None if is_small(count, minimum) else count


def in_words(count: int, minimum: int) -> str:
    """The count as a text of a log; ``fewer than 10`` where it is small."""
    return f"fewer than {minimum}" if is_small(count, minimum) else f"{count:,}"


def hide_in_line(counts: ArrayLike, minimum: int) -> Mask:
    """The hidden cells of one line whose total is known: (n,) True where hidden.

    The hidden ones are two at least, and together ``minimum`` or more, as far as the line has it.
    """
    values = np.asarray(counts, dtype=np.float64)
    hidden = is_small(values, minimum)
    if not hidden.any():
        return hidden
    for place in np.argsort(values, kind="stable"):
        if hidden.sum() > 1 and values[hidden].sum() >= minimum:
            break
        hidden[place] |= values[place] > 0
    return hidden


def hide_in_table(
    counts: ArrayLike,
    minimum: int,
    sensitive: ArrayLike | None = None,
    hidden: ArrayLike | None = None,
    kept: ArrayLike | None = None,
) -> Mask:
    """The hidden cells of a table whose totals are known: (R, C) True where hidden.

    Each sensitive cell could be any number of an interval that is at least ``minimum`` wide, for
    all that the shown cells and the totals say. Where the table has too few people for that, all
    of it is hidden.

    Args:
        counts: (R, C) people or samples.
        minimum: the smallest count that may be shown; 0 or 1 hides nothing of itself.
        sensitive: (R, C) the cells to protect; by default the small ones.
        hidden: (R, C) cells that are hidden in any case, and need no protection here.
        kept: (R, C) cells that stay, because other numbers give them away; where the others do not
            suffice without them, all of the table is hidden.
    """
    table = np.asarray(counts, dtype=np.float64)
    wanted = is_small(table, minimum) if sensitive is None else np.asarray(sensitive, dtype=bool)
    mask = wanted.copy() if hidden is None else wanted | np.asarray(hidden, dtype=bool)
    places = np.argwhere(wanted)
    # The smallest first: what is hidden for them often protects the others, too.
    order = np.argsort(table[wanted], kind="stable")
    for row, column in places[order]:
        more = _rectangle(table, mask, row, column, minimum, kept)
        if more is None and kept is None:
            more = _two_lines(table, mask, row, column, minimum)
        if more is None:
            return np.ones_like(mask)
        mask |= more
    return mask


def _rectangle(
    table: Counts, mask: Mask, row: int, column: int, minimum: int, kept: ArrayLike | None
) -> Mask | None:
    """The rectangle with this corner that hides the fewest further cells and people; or None."""
    # One direction takes from the cell and the opposite corner, the other from their neighbours.
    below, above = table[row, column], table[row, :][None, :]
    width = np.minimum(below, table) + np.minimum(above, table[:, column][:, None])
    shown_cells = ~mask
    further = shown_cells + shown_cells[row, :][None, :] + shown_cells[:, column][:, None]
    people = (
        table * shown_cells
        + (table[row, :] * shown_cells[row, :])[None, :]
        + (table[:, column] * shown_cells[:, column])[:, None]
    )
    cost = further + people / (3 * table.max() + 1) if table.size else people
    possible = width >= minimum
    possible[row, :] = possible[:, column] = False
    if kept is not None:
        fixed = np.asarray(kept, dtype=bool)
        possible &= ~(fixed | fixed[row, :][None, :] | fixed[:, column][:, None])
    if not possible.any():
        return None
    i, j = divmod(int(np.argmin(np.where(possible, cost, np.inf))), table.shape[1])
    found = np.zeros_like(mask)
    for corner in ((row, column), (row, j), (i, column), (i, j)):
        found[corner] = True
    return found


def _two_lines(table: Counts, mask: Mask, row: int, column: int, minimum: int) -> Mask | None:
    """Two whole columns, or rows, within which people may move between many; or None."""
    found = np.zeros_like(mask)
    for way, cells, (i, j) in ((found, table, (row, column)), (found.T, table.T, (column, row))):
        others = np.delete(cells, i, axis=0)
        if not others.size:
            continue
        down = np.minimum(cells[i, j], others.sum(axis=0))
        up = np.minimum(cells[i, :], others[:, j].sum())
        width = np.where(np.arange(cells.shape[1]) == j, -1.0, down + up)
        best = int(np.argmax(width))
        if width[best] >= minimum:
            way[:, [j, best]] = True
            return found
    return None
