"""Reads runs: those that a grid asks for, or all that lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.results import paths
from medfl.results.columns import (
    EVERYONE,
    REFUSED,
    ROBUSTNESS,
    SUMMARY,
    TABLES,
    Column,
    columns_in,
)
from medfl.results.paths import KEYS, CellLike
from medfl.results.record import AGAIN, read_record, row_of
from medfl.results.schema import COMPLETED, Fairness, Metrics, Record, WithoutImages

MISSING = "missing"
GLOBAL, PERSONAL, REFERENCE = "global", "personal", "reference"
REFERENCE_ARMS = ("centralized", "local")


def role_of(arm: str, record: Record | None) -> str:
    """The group in which an arm competes: global models, personal models, or references.

    What its record says decides; without one, the arm's name does.
    """
    if record is None:
        return REFERENCE if arm in REFERENCE_ARMS else GLOBAL
    if record.pooled or record.evaluated == "local":
        return REFERENCE
    return PERSONAL if record.evaluated == "personal" else GLOBAL


@dataclass(frozen=True)
class Run:
    """A cell of the grid with its record.

    Attributes:
        record: None where the run is missing.
        shared: the partition as whose run it lies, where several share it; else empty.
        passed: whether a run lies there that is not of this grid: of other settings, another split
            or other data.
    """

    dataset: str
    partition: str
    arm: str
    seed: int
    folder: Path
    record: Record | None
    shared: str = ""
    passed: bool = False

    def standing_in(self, partition: str) -> Run:
        """The same run in the place of another partition.

        What is of that partition's clients is left out: the run does not know them, but for how
        many test samples a client needs.
        """
        record = self.record and self.record.model_copy(
            update={
                "partition": partition,
                "num_clients": None,
                "clients": {},
                "fairness": Fairness(
                    min_test_samples=self.record.fairness.min_test_samples,
                    min_test_patients=self.record.fairness.min_test_patients,
                ),
                "heterogeneity": {},
                "without_images": WithoutImages(everyone=self.record.without_images.everyone),
            }
        )
        return replace(self, partition=partition, record=record, shared=self.partition)

    @property
    def trained(self) -> Run:
        """The run under its own name."""
        return replace(self, partition=self.shared, shared="") if self.shared else self

    @property
    def status(self) -> str:
        """``completed``, ``diverged`` or ``missing``."""
        return self.record.status if self.record else MISSING

    @property
    def completed(self) -> bool:
        """Whether the run's numbers count."""
        return self.status == COMPLETED

    @property
    def role(self) -> str:
        """``global``, ``personal`` or ``reference``; a missing run goes by its arm's name."""
        return role_of(self.arm, self.record)

    @property
    def test(self) -> Metrics:
        """The metrics on the test samples after the last round, empty if there are none."""
        return self.record.test if self.record else Metrics()

    def answer(self, question: str) -> Metrics:
        """The metrics of one of the two answers after the last round, empty if there are none."""
        if question == EVERYONE:
            return self.record.everyone if self.record else Metrics()
        return self.test

    def row(self, columns: Iterable[Column]) -> dict[str, Any]:
        """The run's values in some columns; those that are not known are left out."""
        place = {**{key: getattr(self, key) for key in KEYS}, "status": self.status}
        if self.record:
            place |= {"run": paths.RUN.format(**vars(self.trained)), **row_of(self.record, columns)}
        return place


def columns_of_runs(runs: Sequence[Run]) -> tuple[Column, ...]:
    """The columns of ``summary.csv`` and of tables that speak of runs.

    Last stand those of attackers and rules, where any run has some, and ``refused``, where an
    update of any run was refused.
    """
    columns = columns_in(SUMMARY, TABLES)
    if any(run.record and run.record.robustness for run in runs):
        columns = (*columns, *ROBUSTNESS)
    if any(run.record and run.record.refused for run in runs):
        columns = (*columns, REFUSED)
    return columns


def read_grid_runs(
    cells: Iterable[CellLike],
    results_dir: str | Path,
    *,
    partial: bool = False,
    wanted: Mapping[Any, Mapping[str, str]] | None = None,
) -> list[Run]:
    """Read the runs of the grid, in the grid's order, and no others.

    ``cells`` may map each cell to the run that stands there: partitions share some. A run that lies
    in the cell itself stands there where the shared one is missing.

    ``wanted`` has what the provenance of each cell's run has to say: the hashes of its settings,
    split and store. A run of others is not of this grid, so it counts as missing.

    Raises:
        MedflError: for a record that cannot be read or belongs to another cell; for missing runs
            unless ``partial``; if not one run is there.
    """
    trained = cells if isinstance(cells, Mapping) else {cell: cell for cell in cells}
    runs = [_find(cell, run, results_dir, wanted or {}) for cell, run in trained.items()]
    each = {run.folder: run for run in runs}  # partitions may share one
    missing = [run for run in each.values() if run.status == MISSING]
    if not missing and runs:
        return runs
    there = sum(run.passed for run in missing)
    words = f" ({there} there, but of other settings, another split or other data)" if there else ""
    if len(missing) == len(each):
        raise MedflError(
            f"no run of the grid is under {Path(results_dir, paths.RUNS)}{words}: train first "
            "(`snakemake --cores all`, or `medfl run` for one run), or give the folder of the runs."
        )
    if not partial:
        first = ", ".join(str(run.folder.relative_to(results_dir)) for run in missing[:3])
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        count = "1 run" if len(each) == 1 else f"{len(each)} runs"
        raise MedflError(
            f"{len(missing)} of {count} are missing under {results_dir}: {first}{rest}{words}. "
            "Train them, or ask for a partial table with `--partial`."
        )
    return runs


def read_all_runs(results_dir: str | os.PathLike[str]) -> list[Run]:
    """Read every finished run under a folder of results, in the order of their paths.

    Raises:
        MedflError: where there is none, or a record cannot be read or lies in the wrong place.
    """
    runs = []
    for folder in paths.finished_runs(results_dir):
        record = read_record(folder / paths.RECORD)
        run = Run(record.dataset, record.partition, record.arm, record.seed, folder, record)
        if paths.run_folder(results_dir, run) != folder:
            raise MedflError(
                f"{folder / paths.RECORD} is the record of {paths.RUN.format(**vars(run))}: it "
                f"was left by another configuration; {AGAIN}"
            )
        runs.append(run)
    if not runs:
        raise MedflError(
            f"no finished run is under {Path(results_dir, paths.RUNS)}: give the folder of a "
            "grid's results (its `output_dir`)."
        )
    return runs


def _find(
    cell: CellLike,
    trained: CellLike,
    results_dir: str | Path,
    wanted: Mapping[Any, Mapping[str, str]],
) -> Run:
    """The run that stands in a cell; the cell's own where a shared one is missing."""
    found = _read(trained, results_dir, wanted.get(trained, {}))
    if trained == cell:
        return found
    if found.record is None:
        own = _read(cell, results_dir, wanted.get(cell, {}))
        if own.record is not None:
            return own
    return found.standing_in(cell.partition)


def _read(cell: CellLike, results_dir: str | Path, wanted: Mapping[str, str]) -> Run:
    folder = paths.run_folder(results_dir, cell)
    path = folder / paths.RECORD
    record, passed = None, False
    if path.exists():
        record = read_record(path)
        _check(record, cell, path)
        if any(record.provenance.get(key) != value for key, value in wanted.items()):
            record, passed = None, True
    return Run(cell.dataset, cell.partition, cell.arm, cell.seed, folder, record, passed=passed)


def _check(record: Record, cell: CellLike, path: Path) -> None:
    for key in KEYS:
        if getattr(record, key) != getattr(cell, key):
            raise MedflError(
                f"{path} is of another {key} than its folder, {getattr(cell, key)}: it was left by "
                f"another configuration; {AGAIN}"
            )
