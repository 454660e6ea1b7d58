"""What protection costs: a table of a partition for readers, and all of them as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medfl.files import write_text
from medfl.partition import partition_title
from medfl.report.clients import beside
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.markup import markdown
from medfl.report.names import arm_label
from medfl.report.privacy import NOTE, Protection, protection, protects
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.tables import ArmRow, Entry, GroupedTable
from medfl.results.column import Column
from medfl.results.columns import ACCURACY, BALANCED, MEGABYTES, OWN, SECONDS, WORST
from medfl.results.runs import REFERENCE

QUALITY = (ACCURACY, BALANCED, WORST)
COST = (SECONDS, MEGABYTES)
NAME = "privacy"
NO_EPSILON = "No ε"
SIDE = (
    "Cells: mean ± sample standard deviation over seeds, of test samples judged by the model that "
    "each client would use. Seconds are those of this machine and of whatever else ran on it; "
    "traffic is up and down, of all clients and rounds."
)


def protected_arms(
    results: GridResults, dataset: str, partition: str
) -> list[tuple[str, Protection]]:
    """The arms that send something, by unit and from the least ε; those without an ε stand last.

    An arm without a finished run in the partition is left out.
    """
    found = [
        (arm, protection(results, dataset, arm, partition))
        for arm in results.arms
        if results.role(dataset, arm) != REFERENCE
        and any(run.completed for run in results.at(dataset, partition, arm))
    ]
    units = [*dict.fromkeys(one.unit for _, one in found if one.unit), ""]
    return sorted(found, key=lambda pair: (units.index(pair[1].unit), pair[1].epsilon or 0.0))


def privacy_table(results: GridResults, dataset: str, partition: str) -> GroupedTable:
    """What each arm of a partition is worth and costs, by what one ε protects."""
    rows = []
    for arm, found in protected_arms(results, dataset, partition):
        entries = [Entry(found.budget, value=found.epsilon), Entry(found.seen)]
        for metric in (*QUALITY, *COST):
            state = results.state(dataset, partition, arm, metric)
            text = state.describe(metric) + (
                beside(results, dataset, partition, arm, metric) if state.summary else ""
            )
            entries.append(Entry(text, value=state.summary.mean if state.summary else None))
        title = f"ε of one {found.unit}" if found.unit else NO_EPSILON
        label = arm_label(arm, results.marked(dataset, arm, OWN))
        rows.append(ArmRow(label, title, tuple(entries)))
    deltas = sorted(
        {one.delta for _, one in protected_arms(results, dataset, partition) if one.delta}
    )
    at = [f"δ = {' or '.join(f'{delta:g}' for delta in deltas)}."] if deltas else []
    header = ("Arm", "ε (of one)", "The server sees", *(_head(one) for one in (*QUALITY, *COST)))
    title = f"Privacy, {partition_title(partition)}"
    return GroupedTable(title, header, tuple(rows), (NOTE, *at, SIDE))


def _head(metric: Column) -> str:
    unit = f" ({metric.unit})" if metric.unit == "%" else ""
    return f"{metric.short}{unit}"


def privacy_tables(results: GridResults, dataset: str) -> list[GroupedTable]:
    """A table for each partition of a dataset with protected arms; else none.

    What holds for all is said below the last.
    """
    if not protects(results, dataset):
        return []
    made = [
        privacy_table(results, dataset, partition) for partition in results.partitions_of(dataset)
    ]
    made = [one for one in made if one.rows]
    return [replace(one, notes=()) for one in made[:-1]] + made[-1:]


def write_privacy(results: GridResults, folder: Path) -> list[Path]:
    """Write ``privacy.{csv,md,tex}`` where a grid has protected arms; give their paths."""
    made = {dataset: privacy_tables(results, dataset) for dataset in results.datasets}
    titled = [(dataset, table) for dataset, tables in made.items() for table in tables]
    if not titled:
        return []
    columns = ["dataset", "partition", "arm", "privacy_unit", "epsilon", "delta", "hidden_by"]
    columns += [f"{m.name}:{what}" for m in (*QUALITY, *COST) for what in ("mean", "sd", "n")]
    write_spreadsheet(folder / f"{NAME}.csv", columns, _rows(results))
    write_text(folder / f"{NAME}.md", markdown(titled))
    # A float has a label of its own, and a dataset has one for each partition.
    floats = [latex([one], f"{NAME}-{number}") for number, one in enumerate(titled)]
    write_text(folder / f"{NAME}.tex", "\n".join(floats))
    return [folder / f"{NAME}.{ending}" for ending in ("csv", "md", "tex")]


def _rows(results: GridResults) -> Iterable[dict[str, Any]]:
    for dataset in results.datasets:
        for partition in results.partitions_of(dataset) if protects(results, dataset) else ():
            for arm, found in protected_arms(results, dataset, partition):
                row: dict[str, Any] = {"dataset": dataset, "partition": partition, "arm": arm}
                row |= {"privacy_unit": found.unit, "hidden_by": " ".join(found.hidden)}
                row |= {"epsilon": found.epsilon, "delta": found.delta}
                for metric in (*QUALITY, *COST):
                    summary = results.state(dataset, partition, arm, metric).summary
                    if summary:
                        values = {"mean": summary.mean, "sd": summary.sd, "n": summary.n}
                        row |= {f"{metric.name}:{what}": one for what, one in values.items()}
                yield row
