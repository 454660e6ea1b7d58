"""Makes the tables of the comparison, as words for readers and as numbers for CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.grid_results import GridResults
from medfl.results.columns import ACCURACY, MAIN, TABLES, Column, columns_in
from medfl.results.runs import GLOBAL, PERSONAL, REFERENCE

ROLES = (GLOBAL, PERSONAL, REFERENCE)


@dataclass(frozen=True)
class Entry:
    """A cell: its text, whether it is the best of its group, and a number to sort by."""

    text: str
    best: bool = False
    value: float | None = None


@dataclass(frozen=True)
class ArmRow:
    """The row of one arm."""

    label: str
    role: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ArmTable:
    """A table of one dataset for readers, with one row per arm, sorted by groups of arms."""

    title: str
    header: tuple[str, ...]
    rows: tuple[ArmRow, ...]
    notes: tuple[str, ...]

    def groups(self) -> list[tuple[str, list[ArmRow]]]:
        """The rows by group, with the group's title; empty groups are left out."""
        found = [
            (names.ROLE_TITLES[role], [row for row in self.rows if row.role == role])
            for role in ROLES
        ]
        return [(title, rows) for title, rows in found if rows]


Place = tuple[str | None, Column]  # partition (None: mean over all partitions), metric


def _table(
    results: GridResults, dataset: str, title: str, columns: Sequence[Place | None]
) -> ArmTable:
    """A table of some columns; ``None`` among them stands for the number of rounds."""
    best = {
        (column, role): _best(results, dataset, column, role)
        for column in columns
        if column
        for role in ROLES[:2]
    }
    rows = []
    for arm in results.arms:
        role = results.role(dataset, arm)
        entries = []
        for column in columns:
            if column is None:
                entries.append(_rounds(results, dataset, arm))
                continue
            partition, metric = column
            state = results.state(dataset, partition, arm, metric)
            value = state.summary.mean if state.summary else None
            entries.append(
                Entry(state.describe(metric), arm in best.get((column, role), ()), value)
            )
        rows.append(ArmRow(names.arm_label(arm, role), role, tuple(entries)))
    header = ("Arm", *(_header(column, title == ACCURACY.title) for column in columns))
    return ArmTable(title, header, tuple(rows), _notes(results, dataset, columns))


def _header(column: Place | None, main: bool) -> str:
    if column is None:
        return "Rounds"
    partition, metric = column
    if partition is not None:
        return partition_title(partition)
    return f"{metric.short} (mean)" if main else "Mean"


def _best(results: GridResults, dataset: str, column: Place, role: str) -> list[str]:
    """The arms with the best mean in a group of two arms or more; none where all have the same."""
    partition, metric = column
    if not metric.direction:
        return []
    ranking = results.ranking(dataset, partition, role, metric)
    if ranking is None or len(ranking.order) < 2:
        return []
    top = ranking.summaries[ranking.best].mean
    best = [arm for arm in ranking.order if ranking.summaries[arm].mean == top]
    return best if len(best) < len(ranking.order) else []


def _rounds(results: GridResults, dataset: str, arm: str) -> Entry:
    rounds = sorted(
        {run.record.rounds or 0 for run in results.of(dataset, arm) if run.record and run.completed}
    )
    if not rounds:
        return Entry("–")
    text = str(rounds[0]) if len(rounds) == 1 else f"{rounds[0]}–{rounds[-1]}"
    return Entry(text, value=rounds[-1])


def _notes(results: GridResults, dataset: str, columns: Sequence[Place | None]) -> tuple[str, ...]:
    count = names.plural(len(results.seeds), "seed")
    spread = "mean ± sample standard deviation over" if len(results.seeds) > 1 else "from"
    notes = [
        f"Cells: {spread} {count} (n = {len(results.seeds)} unless a cell says otherwise). "
        "Bold: best mean of its group, where the group has two arms or more; "
        "an arm that diverged with any seed is not ranked."
    ]
    if results.title(dataset) != dataset:
        notes.insert(0, f"Data: {results.title(dataset)}.")
    if any(column and column[0] is None for column in columns) and len(results.partitions) > 1:
        notes.append("“Mean” columns: mean over the partitions, seed by seed.")
    if _objectives_differ(results, dataset):
        notes.append(
            "Not all arms minimise the same mean of the clients' losses: “objective” in "
            "summary.csv and the table of arms in report.html say what each does."
        )
    roles = {results.role(dataset, arm) for arm in results.arms}
    if PERSONAL in roles:
        notes.append(
            "† Evaluated with each client's own model on that client's test samples, pooled: "
            "the same samples on which a global model is judged, but the hospital is known."
        )
    if REFERENCE in roles:
        notes.append(
            "References are not ranked: all data in one place, or each client alone (mean over "
            "the clients' models, each on everyone's test samples)."
        )
    return tuple(notes)


def _objectives_differ(results: GridResults, dataset: str) -> bool:
    """Whether federated arms minimised different objectives on the same split."""
    found: dict[tuple[str, int], set[str]] = {}
    for arm in results.arms:
        if results.role(dataset, arm) != REFERENCE:
            for run in results.of(dataset, arm):
                if run.record and run.record.objective:
                    place = found.setdefault((run.partition, run.seed), set())
                    place.add(run.record.objective)
    return any(len(texts) > 1 for texts in found.values())


def main_table(results: GridResults, dataset: str) -> ArmTable:
    """Accuracy in each partition, rounds, and the other metrics as means over the partitions."""
    columns: list[Place | None] = [(partition, ACCURACY) for partition in results.partitions]
    columns += [None, *((None, metric) for metric in columns_in(MAIN))]
    return _table(results, dataset, ACCURACY.title, columns)


def metric_table(results: GridResults, dataset: str, metric: Column) -> ArmTable:
    """One metric in each partition, and its mean over them."""
    columns: list[Place | None] = [(partition, metric) for partition in results.partitions]
    if len(results.partitions) > 1:
        columns.append((None, metric))
    return _table(results, dataset, metric.title, columns)


def metrics_with_values(results: GridResults) -> list[Column]:
    """The metrics that any finished run has, but accuracy, whose table is the main one."""
    main, tables = columns_in(MAIN), columns_in(TABLES)
    return [
        metric
        for metric in (*main, *(other for other in tables if other not in main))
        if metric is not ACCURACY and results.known(metric)
    ]


def numbers(
    results: GridResults, metrics: Sequence[Column]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a CSV: one row per dataset and arm; mean, sd and n per partition."""
    columns = ["dataset", "arm", "algorithm", "group", "rounds"]
    for partition in results.partitions:
        columns += [f"{partition}:{what}" for what in ("finished", "diverged", "missing")]
        columns += [
            f"{partition}:{metric.name}:{what}"
            for metric in metrics
            for what in ("mean", "sd", "n")
        ]
    rows = []
    for dataset in results.datasets:
        for arm in results.arms:
            runs = results.of(dataset, arm)
            row: dict[str, Any] = {"dataset": dataset, "arm": arm}
            row["algorithm"] = runs[0].record.algorithm if runs and runs[0].record else ""
            row["group"] = results.role(dataset, arm)
            row["rounds"] = _rounds(results, dataset, arm).value
            for partition in results.partitions:
                row |= _numbers(results, dataset, partition, arm, metrics)
            rows.append(row)
    return columns, rows


def _numbers(
    results: GridResults, dataset: str, partition: str, arm: str, metrics: Sequence[Column]
) -> dict[str, Any]:
    state = results.state(dataset, partition, arm, ACCURACY)
    row: dict[str, Any] = {
        f"{partition}:finished": state.seeds - state.diverged - state.missing,
        f"{partition}:diverged": state.diverged,
        f"{partition}:missing": state.missing,
    }
    for metric in metrics:
        summary = results.state(dataset, partition, arm, metric).summary
        if summary:
            values = {"mean": summary.mean, "sd": summary.sd, "n": summary.n}
            row |= {f"{partition}:{metric.name}:{what}": value for what, value in values.items()}
    return row
