"""Makes the tables of the comparison, as words for readers and as numbers for CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.clients import beside, client_notes
from medfl.report.grid_results import GridResults
from medfl.report.notes import table_notes, target_notes
from medfl.report.privacy import NOTE, promises, protection
from medfl.report.questions import CHANCE, about
from medfl.results.column import Column
from medfl.results.columns import MAIN, OWN, TABLES, TARGET, columns_in, judged
from medfl.results.runs import GLOBAL, PERSONAL, REFERENCE

ROLES = (GLOBAL, PERSONAL, REFERENCE, names.CHANCE)


@dataclass(frozen=True)
class Entry:
    """A cell: its text, whether its arm is told from every other one, and a number to sort by."""

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
    question: str = OWN

    def groups(self) -> list[tuple[str, list[ArmRow]]]:
        """The rows by group, with the group's title; empty groups are left out."""
        found = [
            (names.ROLE_TITLES[role], [row for row in self.rows if row.role == role])
            for role in ROLES
        ]
        return [(title, rows) for title, rows in found if rows]


Place = tuple[str | None, Column]  # partition (None: mean over all partitions), metric
COUNTS = {"rounds": "Rounds", "steps": "Steps"}  # of which a table shows the range
LIKE_BEST = "≈"  # behind the numbers of arms of which none is told from the best mean
BUDGET = "ε (of one)"  # the head of the column that says an arm's ε, with its unit of protection


def _table(
    results: GridResults,
    dataset: str,
    title: str,
    columns: Sequence[Place | str],
    question: str,
    main: bool = False,
) -> ArmTable:
    """A table of some columns: places and counts."""
    asked = [column for column in columns if not isinstance(column, str)]
    best = {column: leaders(results, dataset, *column) for column in asked}
    rows = []
    for arm in results.arms:
        entries = []
        for column in columns:
            if isinstance(column, str):
                one = _budget if column == BUDGET else count_entry
                entries.append(one(results, dataset, arm, column))
                continue
            partition, metric = column
            state = results.state(dataset, partition, arm, metric)
            value = state.summary.mean if state.summary else None
            text = state.describe(metric)
            if state.summary:
                text += beside(results, dataset, partition, arm, metric)
            first = arm in best[column]
            if first and len(best[column]) > 1:
                text += f" {LIKE_BEST}"
            entries.append(Entry(text, best[column] == [arm], value))
        label = names.arm_label(arm, results.marked(dataset, arm, question))
        rows.append(ArmRow(label, results.role(dataset, arm), tuple(entries)))
    chance = [_chance(results, dataset, column) for column in columns]
    if any(entry.value is not None for entry in chance):
        rows.append(ArmRow(CHANCE, names.CHANCE, tuple(chance)))
    header = ("Arm", *(_header(column, main) for column in columns))
    places = [partition for partition, _ in asked if partition]
    means = len(results.partitions) > 1 and any(partition is None for partition, _ in asked)
    fair = any(metric.source.startswith("fairness.") for _, metric in asked)
    luck = client_notes(results, dataset) if fair else []
    if any(metric is TARGET for _, metric in asked):
        luck += target_notes(results, dataset)
    notes = table_notes(
        results,
        dataset,
        places if main else (),
        means,
        question if any(metric.question for _, metric in asked) else "",
        rows[-1].role == names.CHANCE,
    )
    spent = [NOTE] if BUDGET in columns else []
    return ArmTable(title, header, tuple(rows), (*notes, *spent, *luck), question)


def _chance(results: GridResults, dataset: str, column: Place | str) -> Entry:
    """The cell of the line of chance."""
    found = None if isinstance(column, str) else results.chance(dataset, *column)
    if isinstance(column, str) or found is None:
        return Entry("–")
    return Entry(column[1].format(found.mean), value=found.mean)


def _header(column: Place | str, main: bool) -> str:
    if isinstance(column, str):
        return COUNTS.get(column, column)
    partition, metric = column
    if partition is not None:
        return partition_title(partition)
    return f"{metric.short} (mean)" if main else "Mean"


def leaders(results: GridResults, dataset: str, partition: str | None, metric: Column) -> list[str]:
    """The arms that may be the best one: the highest mean, and all that are not told from it.

    Arms on pooled samples do not compete. Empty where nothing is claimed: for means over
    partitions, for all metrics but the primary one, and where no test can be made.
    """
    if partition is None or metric is not results.primary(dataset, metric.question or OWN):
        return []
    arms = results.contenders(dataset)
    return results.comparison(dataset, partition, metric.question).like_best(arms)


def count_entry(results: GridResults, dataset: str, arm: str, name: str) -> Entry:
    """The rounds or steps of an arm's completed runs: one number, or the least and the most."""
    runs = [run for run in results.of(dataset, arm) if run.completed]
    said = {getattr(run.record, name) for run in runs}
    counts = sorted(count for count in said if count is not None)
    if not counts:
        return Entry("–")
    text = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    return Entry(text, value=counts[-1])


def _budget(results: GridResults, dataset: str, arm: str, _: str) -> Entry:
    """The ε of an arm's completed runs, with its unit of protection."""
    found = protection(results, dataset, arm)
    return Entry(found.budget, value=found.epsilon)


def _budgets(results: GridResults, dataset: str) -> list[Place | str]:
    """The column of ε, where an arm of the dataset has one."""
    return [BUDGET] if promises(results, dataset) else []


def main_tables(results: GridResults, dataset: str) -> list[ArmTable]:
    """For each question: the primary metric in each partition, counts, and means of the others."""
    made = []
    for question in results.questions(dataset):
        primary = results.primary(dataset, question)
        others = [
            metric
            for metric in columns_in(MAIN)
            if metric is not primary and metric.question in ("", question)
        ]
        columns = _budgets(results, dataset)
        columns += [(partition, primary) for partition in results.partitions]
        columns += [*COUNTS, *((None, metric) for metric in others)]
        title = judged(primary.metric).title + about(results, dataset, question)
        made.append(_table(results, dataset, title, columns, question, main=True))
    return made


def metric_table(results: GridResults, dataset: str, metric: Column) -> ArmTable:
    """One metric in each partition, and its mean over them."""
    columns = _budgets(results, dataset)
    columns += [(partition, metric) for partition in results.partitions]
    if len(results.partitions) > 1:
        columns.append((None, metric))
    question = metric.question or OWN
    title = judged(metric.metric).title if metric.metric else metric.title
    if metric.question:
        title += about(results, dataset, question)
    return _table(results, dataset, title, columns, question)


def metrics_with_values(results: GridResults) -> list[Column]:
    """The metrics that any finished run has, but those of the main tables' partitions.

    What is for everyone is left out where every arm's own patients are judged by the same model.
    """
    main, tables = columns_in(MAIN), columns_in(TABLES)
    asked = {question for dataset in results.datasets for question in results.questions(dataset)}
    shown = {
        results.primary(dataset, question)
        for dataset in results.datasets
        for question in results.questions(dataset)
    }
    alike = len({results.primary(dataset) for dataset in results.datasets}) == 1
    return [
        metric
        for metric in (*main, *(other for other in tables if other not in main))
        if not (alike and metric in shown)
        and metric.question in ("", *asked)
        and results.known(metric)
    ]


def main_metrics(results: GridResults) -> list[Column]:
    """The metrics of the main tables: each dataset's primary ones, then the others."""
    found = dict.fromkeys(
        results.primary(dataset, question)
        for dataset in results.datasets
        for question in results.questions(dataset)
    )
    asked = {metric.question for metric in found}
    found |= dict.fromkeys(m for m in columns_in(MAIN) if m.question in ("", *asked))
    return list(found)
