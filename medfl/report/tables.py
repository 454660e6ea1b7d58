"""Makes the tables of the comparison, as words for readers and as numbers for CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medfl.partition import partition_title
from medfl.report import names
from medfl.report.attacked import PEACE, Attacked
from medfl.report.clients import beside, client_notes
from medfl.report.grid_results import GridResults
from medfl.report.notes import table_notes, target_notes
from medfl.report.privacy import NOTE, promises, protection
from medfl.report.questions import CHANCE, TITLES
from medfl.report.remembered import remembered
from medfl.results.column import Column
from medfl.results.columns import OWN, TARGET
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
    """A table of one dataset for readers, with one row per arm, sorted by groups of arms.

    Arms that are attacked stand below all others, with their attack as their group.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[ArmRow, ...]
    notes: tuple[str, ...]
    question: str = OWN

    def groups(self) -> list[tuple[str, list[ArmRow]]]:
        """The rows by group, with the group's title; empty groups are left out."""
        known = dict.fromkeys([*ROLES, *(row.role for row in self.rows)])
        found = [
            (names.ROLE_TITLES.get(role, role), [row for row in self.rows if row.role == role])
            for role in known
        ]
        return [(title, rows) for title, rows in found if rows]

    def unattacked(self) -> ArmTable:
        """The same without the arms that are attacked, unless all are."""
        rows = tuple(row for row in self.rows if row.role in ROLES)
        return replace(self, rows=rows) if {row.role for row in rows} - {names.CHANCE} else self


class GroupedTable(ArmTable):
    """A table whose groups are not those of arms: a row's role is the title of its group."""

    def groups(self) -> list[tuple[str, list[ArmRow]]]:
        """The rows by group, in their order."""
        titles = dict.fromkeys(row.role for row in self.rows)
        return [(title, [row for row in self.rows if row.role == title]) for title in titles]


Place = tuple[str | None, Column]  # partition (None: mean over all partitions), metric
COUNTS = {"rounds": "Rounds", "steps": "Steps"}  # of which a table shows the range
LIKE_BEST = "≈"  # behind the numbers of arms of which none is told from the best mean
BUDGET = "ε (of one)"  # the head of the column that says an arm's ε, with its unit of protection


def make_table(
    results: GridResults,
    dataset: str,
    title: str,
    columns: Sequence[Place | str],
    questions: Sequence[str],
    main: bool = False,
    sizes: bool = True,
) -> ArmTable:
    """A table of some columns: places and counts.

    Args:
        results: the runs.
        dataset: the table's dataset.
        title: what it shows.
        columns: partitions with metrics, and the names of counts.
        questions: those that it answers; the first decides which arms are marked with †, and
            numbers of another that clients' own models gave have the mark behind them.
        main: whether the notes speak of the primary metric in each partition.
        sizes: whether the worst client's number says on how many test samples it is.
    """
    asked = [column for column in columns if not isinstance(column, str)]
    best = {
        (column, attacked): leaders(results, dataset, *column, attacked)
        for column in asked
        for attacked in (PEACE, *results.attacks)
    }
    rows = []
    for arm in results.arms:
        entries, attacked = [], results.attacked(arm)
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
                if sizes:
                    text += beside(results, dataset, partition, arm, metric)
                if metric.question in questions[1:]:
                    text = names.arm_label(text, results.marked(dataset, arm, metric.question))
            like_best = best[column, attacked]
            if arm in like_best and len(like_best) > 1:
                text += f" {LIKE_BEST}"
            entries.append(Entry(text, like_best == [arm], value))
        label = names.arm_label(arm, results.marked(dataset, arm, questions[0]))
        group = results.role(dataset, arm) if attacked == PEACE else f"Under {attacked.words}"
        rows.append(ArmRow(label, group, tuple(entries)))
    chance = [_chance(results, dataset, column) for column in columns]
    if any(entry.value is not None for entry in chance):
        rows.append(ArmRow(CHANCE, names.CHANCE, tuple(chance)))
    header = ("Arm", *(_header(column, main, len(questions) > 1) for column in columns))
    places = [partition for partition, _ in asked if partition]
    means = len(results.partitions_of(dataset)) > 1 and any(
        partition is None for partition, _ in asked
    )
    fair = any(metric.source.startswith("fairness.") for _, metric in asked)
    luck = [*client_notes(results, dataset)] if fair else []
    if any(metric is TARGET for _, metric in asked):
        luck += target_notes(results, dataset)
    notes = table_notes(
        results,
        dataset,
        list(dict.fromkeys(places)) if main else (),
        means,
        questions if any(metric.question for _, metric in asked) else (),
        rows[-1].role == names.CHANCE,
    )
    spent = [NOTE] if BUDGET in columns else []
    return ArmTable(title, header, tuple(rows), (*notes, *spent, *luck), questions[0])


def _chance(results: GridResults, dataset: str, column: Place | str) -> Entry:
    """The cell of the line of chance."""
    found = None if isinstance(column, str) else results.chance(dataset, *column)
    if isinstance(column, str) or found is None:
        return Entry("–")
    return Entry(column[1].format(found.mean), value=found.mean)


def _header(column: Place | str, main: bool, apart: bool) -> str:
    """What stands above a column; with ``apart`` it names the question, as others have another."""
    if isinstance(column, str):
        return COUNTS.get(column, column)
    partition, metric = column
    asked = f", {TITLES[metric.question]}" if apart and metric.metric else ""
    if partition is not None:
        return f"{partition_title(partition)}{asked}"
    return f"{metric.short}{asked} (mean)" if main else f"Mean{asked}"


def leaders(
    results: GridResults,
    dataset: str,
    partition: str | None,
    metric: Column,
    attacked: Attacked = PEACE,
) -> list[str]:
    """The arms that may be the best one: the highest mean, and all that are not told from it.

    They are of those that are attacked alike. Arms on pooled samples do not compete. Empty where
    nothing is claimed: for means over partitions, for all metrics but the primary one, and where
    no test can be made.
    """
    if partition is None or metric is not results.primary(dataset, metric.question or OWN):
        return []
    arms = results.contenders(dataset, attacked)
    return results.comparison(dataset, partition, metric.question, attacked).like_best(arms)


@remembered
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


def budgets(results: GridResults, dataset: str) -> list[Place | str]:
    """The column of ε, where an arm of the dataset has one."""
    return [BUDGET] if promises(results, dataset) else []
