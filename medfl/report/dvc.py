"""The files that ``dvc metrics show`` and ``dvc plots show`` read."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from medfl.files import write_csv, write_json
from medfl.report import names
from medfl.report.collect import read_rounds
from medfl.report.results import Results
from medfl.report.statistics import summarise

DVC_METRICS = {
    "accuracy": names.ACCURACY,
    "balanced_accuracy": names.BALANCED,
    "auc_macro": names.AUC,
    "worst_client": names.WORST,
}
CURVES = (
    *("test_accuracy", "test_balanced_accuracy", "test_auc_macro", "test_loss"),
    "worst_client_accuracy",
)
CONVERGENCE_COLUMNS = (
    *("dataset", "partition", "arm", "round", "seeds", "bytes_total"),
    *CURVES,
    "test_accuracy_sd",
)


def write_metrics_json(results: Results, path: str | Path) -> None:
    """Write dataset → partition → arm → mean and sd of the main metrics, to four decimals."""
    tree: dict[str, Any] = {}
    for dataset in results.datasets:
        for partition in results.partitions:
            for arm in results.arms:
                entry: dict[str, float | int] = {}
                for key, metric in DVC_METRICS.items():
                    summary = results.state(dataset, partition, arm, metric).summary
                    if summary:
                        entry[key] = round(summary.mean, 4)
                        entry["seeds"] = summary.n
                        if summary.sd is not None:
                            entry[f"{key}_sd"] = round(summary.sd, 4)
                if entry:
                    tree.setdefault(dataset, {}).setdefault(partition, {})[arm] = entry
    write_json(path, tree)


def write_convergence(results: Results, path: str | Path) -> None:
    """Write the curves in long form: a row a dataset × partition × arm × evaluated round.

    Values are means over the finished seeds, for the rounds that every one of them evaluated.
    """
    rows = []
    for dataset in results.datasets:
        for partition in results.partitions:
            for arm in results.arms:
                folders = [
                    run.folder for run in results.at(dataset, partition, arm) if run.completed
                ]
                place = {"dataset": dataset, "partition": partition, "arm": arm}
                rows += [place | row for row in _mean_curve(folders)]
    write_csv(path, CONVERGENCE_COLUMNS, rows)


def _mean_curve(folders: list[Path]) -> list[dict[str, Any]]:
    by_round: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for folder in folders:
        for row in read_rounds(folder):
            if row.get("test_accuracy") is not None:
                by_round[int(row["round"])].append(row)
    curve = []
    for number, rows in sorted(by_round.items()):
        if len(rows) < len(folders):
            continue
        point: dict[str, Any] = {"round": number, "seeds": len(rows)}
        for key in ("bytes_total", *CURVES):
            values = [row[key] for row in rows if row.get(key) is not None]
            if len(values) == len(rows):
                point[key] = round(math.fsum(values) / len(values), 6)
        spread = summarise([row["test_accuracy"] for row in rows]).sd
        point["test_accuracy_sd"] = None if spread is None else round(spread, 6)
        curve.append(point)
    return curve
