"""What attacks cost and rules save: tables of a partition for readers, and all of it as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medfl.files import write_text
from medfl.partition import partition_title
from medfl.report.attacked import PEACE, Attacked
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.markup import markdown
from medfl.report.robustness import NOT_DEFINED, SUM, Crossing, Difference, crossings
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.tables import ArmRow, Entry, GroupedTable
from medfl.results.column import Column
from medfl.results.columns import BACKDOOR, WORST

NAME = "robustness"
SHOWN = ("primary", "worst_honest", BACKDOOR.name)  # heads in the CSV file
COSTS = "The attack costs"
NOTES = (
    "Cells: mean ± sample standard deviation over seeds, on own patients. In brackets: the "
    "difference to the plain sum of the same row, in points of a percentage. In the first row that "
    "is the cost of a defence where nobody attacks, below it what the defence saves; where it is "
    "negative there, no defence would be better. *: the tests tell the two apart (Holm, p < 0.05, "
    "over all pairs of arms under the same attack; for what an attack costs over all pairs of an "
    "unattacked and an attacked arm); in bold where the defence is better.",
    f"“{COSTS}”: the plain sum under attack minus that where nobody attacks. A defence "
    "costs more than an attack where its cost in the first row is the larger loss.",
    "Worst honest client: of the clients that attack in no arm of the seed, so that all cells "
    "speak of the same ones. Backdoor: the share of marked test images of other classes that the "
    "server's model takes for the target.",
    f"“{NOT_DEFINED}”: the attack or the rule does not exist for so many clients and attackers; "
    "tables/robustness.csv says why.",
)


def heading(rule: str) -> str:
    """What a rule is called above its column, and in a legend."""
    return f"{SUM} (no defence)" if rule == SUM else rule


def robustness_tables(results: GridResults, dataset: str) -> list[GroupedTable]:
    """For each partition the primary metric, the worst honest client and the backdoor's success.

    None where the grid has no crossed arms. What holds for all is said below the last.
    """
    made = [
        table
        for partition in results.partitions_of(dataset)
        if (found := list(crossings(results, dataset, partition)))
        for metric in (results.primary(dataset), WORST, BACKDOOR)
        if (table := _table(found, metric)).rows
    ]
    return [replace(one, notes=()) for one in made[:-1]] + made[-1:]


def _table(found: list[Crossing], metric: Column) -> GroupedTable:
    """One metric: a row for each attack on each base arm, a column for each rule."""
    rules = list(dict.fromkeys(rule for one in found for rule in one.rules))
    priced = metric is found[0].metric and SUM in rules and found[0].attacks != [PEACE]
    rows = []
    for one in found:
        for attacked in one.attacks:
            entries = [cell(one, rule, attacked, metric) for rule in rules]
            if metric is BACKDOOR and all(entry.value is None for entry in entries):
                continue
            if priced:
                entries.insert(rules.index(SUM) + 1, _price(one, attacked))
            rows.append(ArmRow(attacked.words, one.base, tuple(entries)))
    heads = list(map(heading, rules))
    if priced:
        heads.insert(rules.index(SUM) + 1, COSTS)
    name = metric.title.replace("Worst client's", "Worst honest client's")
    title = f"{name}, {partition_title(found[0].partition)}"
    return GroupedTable(title, ("", *heads), tuple(rows), NOTES)


def cell(one: Crossing, rule: str, attacked: Attacked, metric: Column) -> Entry:
    """Mean ± deviation of one rule under one attack, with the difference to the plain sum."""
    state = one.state(rule, attacked, metric)
    if state is None:
        return Entry(NOT_DEFINED)
    text, better = state.describe(metric), False
    above = _above_sum(one, rule, attacked) if metric is one.metric else None
    if above:
        text += f" ({above.words(metric)})"
        better = above.told and above.mean > 0
    return Entry(text, better, state.summary.mean if state.summary else None)


def _above_sum(one: Crossing, rule: str, attacked: Attacked) -> Difference | None:
    return one.difference((rule, attacked), (SUM, attacked))


def _price(one: Crossing, attacked: Attacked) -> Entry:
    found = one.difference((SUM, attacked), (SUM, PEACE))
    return Entry(found.words(one.metric), value=found.mean) if found else Entry("–")


def write_robustness(results: GridResults, folder: Path) -> list[Path]:
    """Write ``robustness.{csv,md,tex}`` where a grid has crossed arms; give their paths."""
    made = {dataset: robustness_tables(results, dataset) for dataset in results.datasets}
    titled = [(dataset, table) for dataset, tables in made.items() for table in tables]
    if not titled:
        return []
    columns = ["dataset", "partition", "base", "rule", "attack", "attackers", "arm", "metric"]
    columns += [f"{what}:{one}" for what in SHOWN for one in ("mean", "sd", "n")]
    columns += ["above_sum", "above_sum_told_apart", "above_peace", "above_peace_told_apart"]
    columns += ["not_defined"]
    write_spreadsheet(folder / f"{NAME}.csv", columns, _rows(results))
    write_text(folder / f"{NAME}.md", markdown(titled))
    # A float has a label of its own, and a dataset has several for each partition.
    floats = [latex([one], f"{NAME}-{number}") for number, one in enumerate(titled)]
    write_text(folder / f"{NAME}.tex", "\n".join(floats))
    return [folder / f"{NAME}.{ending}" for ending in ("csv", "md", "tex")]


def _rows(results: GridResults) -> Iterable[dict[str, Any]]:
    for dataset in results.datasets:
        for partition in results.partitions_of(dataset):
            for one in crossings(results, dataset, partition):
                for rule in one.rules:
                    for attacked in one.attacks:
                        yield _row(one, rule, attacked)


def _row(one: Crossing, rule: str, attacked: Attacked) -> dict[str, Any]:
    row: dict[str, Any] = {"dataset": one.dataset, "partition": one.partition, "base": one.base}
    row |= {"rule": rule, "attack": attacked.attack, "attackers": attacked.attackers}
    row |= {"arm": one.arm(rule, attacked), "metric": one.metric.name}
    row["not_defined"] = one.why_not(rule, attacked)
    for what, metric in zip(SHOWN, (one.metric, WORST, BACKDOOR), strict=True):
        state = one.state(rule, attacked, metric)
        if state and state.summary:
            values = {"mean": state.summary.mean, "sd": state.summary.sd, "n": state.summary.n}
            row |= {f"{what}:{name}": value for name, value in values.items()}
    differences = {
        "above_sum": _above_sum(one, rule, attacked),
        "above_peace": one.difference((rule, attacked), (rule, PEACE)),
    }
    for name, found in differences.items():
        if found:
            row |= {name: found.mean, f"{name}_told_apart": "yes" if found.told else "no"}
    return row
