"""Results as pandas tables, for the report and for a person who goes on in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medfl.errors import MedflError, failure
from medfl.results import paths
from medfl.results.columns import (
    CLIENTS,
    PRIVACY_UNIT,
    REFUSED,
    ROUNDS,
    Column,
    columns_in,
)
from medfl.results.paths import KEYS
from medfl.results.predictions import ARRAYS, read_predictions
from medfl.results.runs import Run, columns_of_runs
from medfl.results.tables import intact, of_clients, read_numbers


class Frames:
    """Tidy tables of some runs; each is read when it is first asked for.

    Every table begins with ``dataset``, ``partition``, ``arm`` and ``seed``, so that any two can be
    merged. Where a number is not known, it is missing: neither 0 nor an empty word stands for it.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        """Take runs; a missing one has a row in ``runs`` and none in the other tables."""
        self._runs = list(runs)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run: the columns of ``summary.csv``, and the traffic in megabytes.

        Last stand those of attackers and rules, where any run has some, and ``refused``, where an
        update of any run was refused.
        """
        columns = columns_of_runs(self._runs)
        rows = [run.row(columns) for run in self._runs]
        return pd.DataFrame(
            {
                column.name: pd.Series([row.get(column.name) for row in rows], dtype=_dtype(column))
                for column in columns
            }
        )

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """One row per run and round: the columns of ``rounds.csv``."""
        return self._gather(rounds_of, self._runs)

    @cached_property
    def clients(self) -> pd.DataFrame:
        """One row per run, evaluated round, client and fold: the columns of ``clients.csv``."""
        own = [run for run in self._runs if not run.shared]  # whose clients are the partition's
        return self._gather(lambda run: intact(run, paths.CLIENTS, read_clients), own)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per prediction of the runs that kept theirs (``medfl.results.predictions``).

        ``label`` is the class's name (several are joined by ``|``); ``p_<class>`` is the
        probability that the model gave to a class. Runs without the file are left out.

        Raises:
            MedflError: where no run has its predictions here.
        """
        kept = [run for run in self._runs if (run.folder / paths.PREDICTIONS).exists()]
        if not kept:
            raise MedflError(
                "none of these runs has its predictions.npz here: it was not kept "
                "(`keep.predictions: false`) or not brought along with the records."
            )
        return self._gather(lambda run: intact(run, paths.PREDICTIONS, _read_predictions), kept)

    def _gather(self, read: Callable[[Run], pd.DataFrame], runs: Iterable[Run]) -> pd.DataFrame:
        """The same file of several runs, below one another."""
        parts = [
            read(run).assign(**{key: getattr(run, key) for key in KEYS})
            for run in runs
            if run.record
        ]
        if not parts:
            return pd.DataFrame(columns=list(KEYS))
        # A column that some files lack keeps the place that it has in the first file with it.
        names = dict.fromkeys(name for part in parts for name in part.columns)
        order = [*KEYS, *(name for name in names if name not in KEYS)]
        return pd.concat(parts, ignore_index=True)[order]


def rounds_of(run: Run) -> pd.DataFrame:
    """``read_rounds`` of a run; one that partitions share knows nothing of their clients.

    Raises:
        MedflError: as ``read_rounds``, and where the file is not the one that the run wrote.
    """
    rounds = intact(run, paths.ROUNDS, read_rounds)
    if run.shared:
        rounds[rounds.columns.intersection(of_clients())] = pd.NA
    return rounds


def read_rounds(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """``rounds.csv`` of a run: one row per round.

    Raises:
        MedflError: if the file is missing, cut off, or holds something that is no number.
    """
    return _read_csv(Path(folder, paths.ROUNDS), (*columns_in(ROUNDS), PRIVACY_UNIT, REFUSED))


def read_clients(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """``clients.csv`` of a run: one row per evaluated round, client and fold.

    Raises:
        MedflError: as ``read_rounds``.
    """
    return _read_csv(Path(folder, paths.CLIENTS), (*columns_in(CLIENTS), PRIVACY_UNIT, REFUSED))


def _read_csv(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    words = {column.name for column in columns if column.kind is str}
    kinds = {column.name: _dtype(column) for column in columns}
    table = read_numbers(path, words)
    try:
        return pd.DataFrame(
            {
                name: pd.Series([cell or None for cell in cells], dtype="str")
                if name in words
                else pd.Series(cells, dtype=kinds.get(name, "float64"))
                for name, cells in table.items()
            }
        )
    except (ValueError, TypeError) as error:  # half a round
        raise MedflError(
            f"{path} cannot be read ({failure(error)}): train this run again."
        ) from error


def _dtype(column: Column) -> Any:
    """The pandas type of a column, in which whole numbers stay whole beside missing ones."""
    return {int: "Int64", float: "float64", str: "str"}[column.kind]


def _read_predictions(folder: Path) -> pd.DataFrame:
    arrays = read_predictions(folder / paths.PREDICTIONS)
    classes = arrays["classes"]
    content: dict[str, Any] = {name: arrays[name] for name in ARRAYS if name != "probabilities"}
    if arrays["label"].ndim == 2:
        rows = arrays["label"].astype(bool)
        content["label"] = ["|".join(classes[row]) for row in rows]
    else:
        content["label"] = classes[arrays["label"]]
    content |= {f"p_{name}": arrays["probabilities"][:, k] for k, name in enumerate(classes)}
    return pd.DataFrame({name: np.asarray(values) for name, values in content.items()})
