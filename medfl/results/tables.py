"""Reads the tables of a run, ``rounds.csv`` and ``clients.csv``, number by number."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError, Reason, failure
from medfl.files.regular import regular
from medfl.results import paths
from medfl.results.columns import PRIVACY_UNIT, ROUNDS, columns_in
from medfl.results.intact import check_file, is_known
from medfl.results.runs import Run

History = dict[str, NDArray[np.float64]]
"""Column → one number per round; NaN where it is not known."""

_Table = TypeVar("_Table")


def read_numbers(
    path: Path, words: Collection[str], only: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """The columns of a table: floats, NaN for an empty cell; those named in ``words`` as they are.

    ``only`` some of its columns, where any are named: in others there may stand what is no number.

    Raises:
        MedflError: if the file is missing, cut off, or holds something that is no number.
    """
    try:
        with open(path, encoding="utf-8", newline="", opener=regular) as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
        # A line that was cut off is refused: what it lacks is not missing.
        if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
            raise Reason("it is empty or cut off")
        if "round" not in lines[0]:
            raise Reason("it has no column `round`")
        columns = ((name, list(cells)) for name, *cells in zip(*lines, strict=True))
        return {
            name: np.array(cells, dtype=object) if name in words else _floats(cells)
            for name, cells in columns
            if not only or name in only
        }
    except FileNotFoundError as error:
        raise MedflError(f"{path} does not exist: the run is not complete.") from error
    except (OSError, ValueError, csv.Error) as error:
        raise MedflError(
            f"{path} cannot be read ({failure(error)}): train this run again."
        ) from error


def _floats(cells: list[str]) -> NDArray[np.float64]:
    return np.array([float(cell) if cell else math.nan for cell in cells])


def intact(run: Run, name: str, read: Callable[[Path], _Table]) -> _Table:
    """A file of a run, as ``read`` gives it of the run's folder.

    Raises:
        MedflError: where it is not the file that the run wrote.
    """
    table = read(run.folder)
    if run.record:
        check_file(run.folder, name, run.record)
    return table


def history_of(run: Run, only: Collection[str] = ()) -> History:
    """The numbers of a run's ``rounds.csv``; those of clients are NaN where it is shared.

    ``only`` some columns, where any are named: most of the time goes into making numbers of words.

    Raises:
        MedflError: as ``read_numbers``, and where the file is not the one that the run wrote.
    """

    def read(folder: Path) -> History:
        return read_numbers(folder / paths.ROUNDS, (PRIVACY_UNIT.name,))

    if only and run.record and is_known(run.folder, paths.ROUNDS, run.record):
        history: History = read_numbers(run.folder / paths.ROUNDS, (PRIVACY_UNIT.name,), only)
    else:  # all of it is checked
        history = intact(run, paths.ROUNDS, read)
    if run.shared:
        for name in of_clients():
            if name in history:
                history[name] = np.full_like(history[name], math.nan)
    return history


def of_clients() -> list[str]:
    """The columns of ``rounds.csv`` that speak of a partition's clients."""
    return [column.name for column in columns_in(ROUNDS) if column.source.startswith("fairness.")]
