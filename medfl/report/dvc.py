"""The files that ``dvc metrics show`` and ``dvc plots show`` read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medfl.files import write_json
from medfl.report.curves import means_of
from medfl.report.grid_results import GridResults
from medfl.report.spreadsheet import write_spreadsheet
from medfl.results.column import Column
from medfl.results.columns import COLUMNS, CURVES, names_in
from medfl.results.runs import Run
from medfl.results.tables import history_of

CurveRows = list[dict[str, Any]]
_METRICS = [column for column in COLUMNS if column.dvc]
_CURVES = names_in(CURVES)
CONVERGENCE_COLUMNS = (
    *("dataset", "partition", "arm", "round", "seeds", "bytes_total"),
    *("primary", "test_primary", "test_primary_sd"),
    *_CURVES,
)


def write_metrics_json(results: GridResults, path: str | Path) -> None:
    """Write dataset → partition → arm → mean and sd of the main metrics, to four decimals.

    Those of the primary metric stand first; beside the arms, ``primary`` of a dataset names it.
    """
    tree: dict[str, Any] = {}
    for dataset in results.datasets:
        asked = results.questions(dataset)
        primary = [results.primary(dataset, question) for question in asked]
        others = [one for one in _METRICS if one.question in ("", *asked) and one not in primary]
        for partition in results.partitions_of(dataset):
            for arm in results.arms:
                entry: dict[str, float | int] = {}
                for metric in (*primary, *others):
                    key = metric.dvc or metric.name.removeprefix("test_")
                    summary = results.state(dataset, partition, arm, metric).summary
                    if summary:
                        entry[key] = round(summary.mean, 4)
                        entry["seeds"] = summary.n
                        if summary.sd is not None:
                            entry[f"{key}_sd"] = round(summary.sd, 4)
                if entry:
                    of_dataset = tree.setdefault(dataset, {"primary": primary[0].metric})
                    of_dataset.setdefault(partition, {})[arm] = entry
    write_json(path, tree)


def write_convergence(rows: CurveRows, path: str | Path) -> None:
    """Write the curves in long form, as ``rows_of_curves`` gathered them."""
    write_spreadsheet(path, CONVERGENCE_COLUMNS, rows)


def rows_of_curves(results: GridResults) -> CurveRows:
    """One row per dataset, partition, arm and round, of the curves of all runs.

    Values are means over the finished seeds, for the rounds in which all of them were evaluated.

    Raises:
        MedflError: for a ``rounds.csv`` that cannot be read.
    """
    rows: CurveRows = []
    for dataset in results.datasets:
        for partition in results.partitions_of(dataset):
            for arm in results.arms:
                runs = [run for run in results.at(dataset, partition, arm) if run.completed]
                place = {"dataset": dataset, "partition": partition, "arm": arm}
                primary = results.primary(dataset)
                rows += [place | row for row in _mean_curve(runs, primary)]
    return rows


def _mean_curve(runs: list[Run], primary: Column) -> CurveRows:
    histories = [history_of(run, ("round", "bytes_total", *_CURVES)) for run in runs]
    rows: dict[int, dict[str, Any]] = {}
    for key, curve in means_of(histories, _CURVES).items():
        for point in curve:
            row = rows.setdefault(
                point.round,
                {"round": point.round, "seeds": point.n, "bytes_total": point.bytes_total},
            )
            row[key] = round(point.mean, 6)
            if key == primary.name:
                row |= {"primary": primary.metric, "test_primary": row[key]}
                if point.sd is not None:
                    row["test_primary_sd"] = round(point.sd, 6)
    return [rows[number] for number in sorted(rows)]
