"""The tables of the comparison as numbers, for CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medfl.report.grid_results import GridResults
from medfl.report.privacy import promises, protection
from medfl.report.tables import COUNTS, count_entry
from medfl.results.column import Column
from medfl.results.columns import REFUSED


def numbers(
    results: GridResults, metrics: Sequence[Column]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a CSV: one row per dataset and arm; mean, sd and n per partition."""
    columns = ["dataset", "arm", "algorithm", "group", "primary", *COUNTS]
    private = any(promises(results, dataset) for dataset in results.datasets)
    columns += ["epsilon", "privacy_unit"] if private else []
    states = ("finished", "diverged", "missing", *([REFUSED.name] if results.refused else []))
    for partition in results.partitions:
        columns += [f"{partition}:{what}" for what in states]
        columns += [
            f"{partition}:{metric.name}:{what}"
            for metric in metrics
            for what in ("mean", "sd", "n", *(["chance"] if metric.metric else []))
        ]
    rows = []
    for dataset in results.datasets:
        for arm in results.arms:
            runs = results.of(dataset, arm)
            row: dict[str, Any] = {"dataset": dataset, "arm": arm}
            row["algorithm"] = runs[0].record.algorithm if runs and runs[0].record else ""
            row["group"] = results.role(dataset, arm)
            row["primary"] = results.primary(dataset).metric
            row |= {name: count_entry(results, dataset, arm, name).value for name in COUNTS}
            if private:
                found = protection(results, dataset, arm)
                row |= {"epsilon": found.epsilon, "privacy_unit": found.unit or None}
            for partition in results.partitions:
                row |= _numbers(results, dataset, partition, arm, metrics)
            rows.append(row)
    return columns, rows


def _numbers(
    results: GridResults, dataset: str, partition: str, arm: str, metrics: Sequence[Column]
) -> dict[str, Any]:
    state = results.state(dataset, partition, arm, metrics[0])
    row: dict[str, Any] = {
        f"{partition}:finished": state.finished,
        f"{partition}:diverged": state.diverged,
        f"{partition}:missing": state.missing,
    }
    if results.refused:
        row[f"{partition}:{REFUSED.name}"] = state.refused
    for metric in metrics:
        summary = results.state(dataset, partition, arm, metric).summary
        if summary:
            values = {"mean": summary.mean, "sd": summary.sd, "n": summary.n}
            row |= {f"{partition}:{metric.name}:{what}": value for what, value in values.items()}
        chance = results.chance(dataset, partition, metric)
        if chance:
            row[f"{partition}:{metric.name}:chance"] = chance.mean
    return row
