"""Reads what the test metrics of runs owe to each patient: the arrays of ``LEFT_OUT``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medfl.files.beside import begun_beside
from medfl.metrics.jackknife import left_out
from medfl.results import paths
from medfl.results.intact import check_file
from medfl.results.paths import CellLike
from medfl.results.predictions import OF_ALL, OWN, read_left_out, read_predictions
from medfl.results.record import read_record
from medfl.results.schema import Record

Arrays = Mapping[str, NDArray[Any]]
WithoutEach = Callable[[Path], Arrays]
"""Gives the arrays of the run in a folder, as ``left_out_of`` does."""


def left_out_of(folder: Path, record: Record | None = None) -> Arrays:
    """The arrays of ``LEFT_OUT`` of a run; they are made where it is of before they were kept.

    Args:
        folder: of a finished run that kept its predictions.
        record: its record; it is read where it is left out.

    Raises:
        MedflError: the record or the predictions are damaged, or are not those of one run.
    """
    path = folder / paths.PREDICTIONS
    check_file(folder, paths.PREDICTIONS, record or read_record(folder / paths.RECORD))
    kept = read_left_out(path)
    if kept is not None:
        return kept
    arrays = read_predictions(path)
    last = (arrays["moment"] == "last") & (arrays["fold"] == "test")

    def answers(view: str, owner: int | None = None) -> NDArray[np.int64]:
        rows = last & (arrays["view"] == view)
        if owner is not None:
            rows &= arrays["owner"] == owner
        found = np.flatnonzero(rows)
        return found[np.argsort(arrays["sample"][found], kind="stable")]

    own = answers(OWN)
    owners = np.unique(arrays["owner"][last & (arrays["view"] == OF_ALL)]).tolist()
    said = arrays["probabilities"]
    return left_out(
        arrays["label"][own],
        arrays["group"][own],
        said[own],
        [said[answers(OF_ALL, owner)] for owner in owners],
        str(arrays["task"]),
    )


def reading_ahead(
    cells: Iterable[CellLike], results_dir: str | Path
) -> AbstractContextManager[WithoutEach]:
    """Begin to read those of runs, in a process beside this one; gives what reads them on."""
    folders = dict.fromkeys(paths.run_folder(results_dir, cell) for cell in cells)
    there = [folder for folder in folders if (folder / paths.PREDICTIONS).exists()]
    return begun_beside(left_out_of, there)
