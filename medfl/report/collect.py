"""From run folders to summary rows: what the grid asks for, and what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from medfl.config import validate
from medfl.errors import MedflError
from medfl.files import write_csv
from medfl.report import names
from medfl.results import paths
from medfl.results.paths import CellLike

SCHEMA = 1
COMPLETED, DIVERGED, MISSING = "completed", "diverged", "missing"
TEST_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "auc_macro",
    "f1_macro",
    "kappa",
    "ece",
    "log_loss",
)
SUMMARY_COLUMNS = (
    *("dataset", "partition", "arm", "algorithm", "seed", "status", "evaluated", "rounds"),
    *(f"test_{name}" for name in TEST_METRICS),
    *("best_round", "best_test_accuracy", "worst_client_accuracy", "client_accuracy_std", "jain"),
    *("personal_accuracy", "bytes_up", "bytes_down", "rounds_to_target", "bytes_to_target"),
    *("epsilon", "steps", "seconds"),
)


class _Metrics(BaseModel):
    """Of a record's sections, what tables and figures rely on; there may be more."""

    model_config = ConfigDict(allow_inf_nan=False)

    accuracy: float | None = None
    balanced_accuracy: float | None = None
    auc_macro: float | None = None
    f1_macro: float | None = None
    kappa: float | None = None
    ece: float | None = None
    log_loss: float | None = None
    per_class: dict[str, dict[str, Any]] | None = None
    confusion: list[Any] | None = None


class _Moment(BaseModel):
    round: int | None = None
    test: _Metrics | None = None
    personal: _Metrics | None = None


class _Record(BaseModel):
    rounds: int | None = None
    last: _Moment | None = None
    best: _Moment | None = None
    clients: dict[str, dict[str, Any]] | None = None
    fairness: dict[str, Any] | None = None
    communication: dict[str, float | None] | None = None
    privacy: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    heterogeneity: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None


@dataclass(frozen=True)
class Run:
    """A cell of the grid with its record; ``record`` is None where the run is missing."""

    dataset: str
    partition: str
    arm: str
    seed: int
    folder: Path
    record: dict[str, Any] | None

    @property
    def status(self) -> str:
        """``completed``, ``diverged`` or ``missing``."""
        return self.record["status"] if self.record else MISSING

    @property
    def completed(self) -> bool:
        """Whether the run's numbers count."""
        return self.status == COMPLETED

    @property
    def role(self) -> str:
        """``global``, ``personal`` or ``reference``; a missing run goes by its arm's name."""
        if not self.record:
            return names.role(self.arm, "")
        return names.role(self.record.get("algorithm", ""), self.record.get("evaluated", ""))

    @property
    def test(self) -> dict[str, Any]:
        """The medical metrics on the test samples after the last round, {} if there are none."""
        return test_metrics(self.record, "last")

    def row(self) -> dict[str, Any]:
        """The run as a row of the summary; what is not known is left out."""
        row: dict[str, Any] = {
            "dataset": self.dataset,
            "partition": self.partition,
            "arm": self.arm,
            "seed": self.seed,
            "status": self.status,
        }
        record = self.record
        if record is None:
            return row
        row |= {key: record.get(key) for key in ("algorithm", "evaluated", "rounds", "steps")}
        row |= {f"test_{name}": self.test.get(name) for name in TEST_METRICS}
        fairness, traffic = _part(record, "fairness"), _part(record, "communication")
        row |= {
            "best_round": _part(record, "best").get("round"),
            "best_test_accuracy": test_metrics(record, "best").get("accuracy"),
            "worst_client_accuracy": fairness.get("worst"),
            "client_accuracy_std": fairness.get("std"),
            "jain": fairness.get("jain"),
            "personal_accuracy": _part(_part(record, "last"), "personal").get("accuracy"),
            "epsilon": _part(record, "privacy").get("epsilon"),
            "seconds": _part(record, "timing").get("seconds"),
        }
        for key in ("bytes_up", "bytes_down", "rounds_to_target", "bytes_to_target"):
            row[key] = traffic.get(key)
        return {key: value for key, value in row.items() if value is not None}


def _part(record: dict[str, Any] | None, key: str) -> dict[str, Any]:
    """A section of a record; absent and null are both empty."""
    return (record or {}).get(key) or {}


def test_metrics(record: dict[str, Any] | None, when: str) -> dict[str, Any]:
    """Metrics on the pooled test samples at ``last`` or ``best``.

    Where an arm trains personal models, every sample is judged by the model of the client that
    holds it; the pooled samples are the same ones on which a global model is judged.
    """
    moment = _part(record, when)
    pooled, personal = _part(moment, "test"), _part(moment, "personal")
    if (record or {}).get("evaluated") == "personal":
        return personal or pooled
    return pooled or personal


def collect(
    cells: Iterable[CellLike],
    results_dir: str | Path,
    *,
    partial: bool = False,
    settings: Mapping[Any, str] | None = None,
) -> list[Run]:
    """Read the runs of the grid, in the grid's order, and no others.

    ``settings`` has the fingerprint of each cell's configuration: a run that was made under others
    is not of this grid, so it counts as missing.

    Raises:
        MedflError: for a record that cannot be read or belongs to another cell; for missing runs
            unless ``partial``; if not one run is there.
    """
    runs = [_read(cell, Path(results_dir), (settings or {}).get(cell)) for cell in cells]
    missing = [run for run in runs if run.status == MISSING]
    if not missing and runs:
        return runs
    if len(missing) == len(runs):
        raise MedflError(
            f"no run of the grid is under {Path(results_dir, paths.RUNS)}: train first "
            "(`snakemake --cores all`, or `medfl run` for one run), or give the folder of the runs."
        )
    if not partial:
        first = ", ".join(str(run.folder.relative_to(results_dir)) for run in missing[:3])
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise MedflError(
            f"{len(missing)} of {names.plural(len(runs), 'run')} are missing under {results_dir}: "
            f"{first}{rest}. Train them, or ask for a partial table with `--partial`."
        )
    return runs


def _read(cell: CellLike, results_dir: Path, settings: str | None) -> Run:
    folder = paths.run_folder(results_dir, cell)
    path = folder / paths.RECORD
    record = None
    if path.exists():
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MedflError(
                f"{path} cannot be read ({error}): delete this run's folder and train it again."
            ) from error
        _check(record, cell, path)
        if settings and _part(record, "provenance").get("config_sha256") != settings:
            record = None
    return Run(cell.dataset, cell.partition, cell.arm, cell.seed, folder, record)


def _check(record: Any, cell: CellLike, path: Path) -> None:
    again = "delete this run's folder and train it again."
    if not isinstance(record, dict) or record.get("status") not in (COMPLETED, DIVERGED):
        raise MedflError(f"{path} is not the record of a finished run: {again}")
    validate(_Record, record, f"{path} is damaged ({again})")
    if record["status"] == COMPLETED and not test_metrics(record, "last"):
        raise MedflError(f"{path} holds no metrics of a completed run: {again}")
    if record.get("schema") != SCHEMA:
        raise MedflError(
            f"{path} has schema {record.get('schema')!r}, this medfl reads {SCHEMA}: {again}"
        )
    for key in ("dataset", "partition", "arm", "seed"):
        if record.get(key) != getattr(cell, key):
            raise MedflError(
                f"{path} says {key} {record.get(key)!r} but lies in the folder of "
                f"{getattr(cell, key)!r}: it was left by another configuration; {again}"
            )


def write_summary(runs: Sequence[Run], path: str | Path) -> None:
    """Write ``summary.csv``: a row a cell of the grid; a missing run has empty cells."""
    write_csv(path, SUMMARY_COLUMNS, [run.row() for run in runs])
