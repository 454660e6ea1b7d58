"""Writes the places of arms and every pair's test: ``ranking`` and ``paired``, also for papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from medfl.files import write_text
from medfl.partition import partition_title
from medfl.report.attacked import COST, PEACE, Attacked
from medfl.report.findings import findings, findings_attacked
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.markup import markdown
from medfl.report.questions import HOLDS, TITLES
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.statistics.pairs import Comparison, PairTest
from medfl.report.tables import ArmRow, Entry, GroupedTable

PAIRED_COLUMNS = (
    *("dataset", "partition", "question", "metric", "arm", "other", "seeds", "test_patients"),
    *("difference", "low", "high", "p", "p_holm", "separated", "practically_equal"),
    *("holds_for", "reason"),
)
ATTACKED = "attacked"  # the column of a grid with attackers: under which attack the arms compete
PAIRED_HOLDS = "new patients, these training patients"


def write_findings(results: GridResults, folder: str | Path) -> list[Path]:
    """Write the files; return their paths."""
    folder = Path(folder)
    columns, ranks = rank_rows(results)
    places = ranking_table(columns, ranks)
    write_spreadsheet(folder / "ranking.csv", columns, ranks)
    write_text(folder / "ranking.md", markdown([("", places)]))
    write_text(folder / "ranking.tex", latex([("All data sets", places)], "ranking"))
    rows = paired_rows(results)
    columns = list(PAIRED_COLUMNS)
    if results.attacks:
        columns.insert(columns.index("metric"), ATTACKED)
    write_spreadsheet(folder / "paired.csv", columns, rows)
    write_text(folder / "paired.tex", latex(pair_tables(results, rows), "paired"))
    names = ("ranking.csv", "ranking.md", "ranking.tex", "paired.csv", "paired.tex")
    return [folder / name for name in names]


def paired_rows(results: GridResults) -> list[dict[str, Any]]:
    """Every two arms of each family, the one with the higher mean first."""
    rows = []
    for family in results.families:
        dataset, partition, question, attacked = family
        found = results.comparison(*family)
        about: dict[str, Any] = {"dataset": dataset, "partition": partition, "question": question}
        about |= {ATTACKED: family_words(attacked)} if results.attacks else {}
        about["metric"] = results.primary(dataset, question).metric
        about |= {"seeds": len(found.seeds), "reason": found.reason}
        about["test_patients"] = found.patients if found.folds == "shared" else found.folds
        for pair in found.pairs or _untested(results, found, attacked):
            row = about | {name: getattr(pair, name) for name in ("arm", "other", "low", "high")}
            row |= {"p": pair.p, "p_holm": pair.p_holm, "separated": verdict(pair)}
            row["difference"] = None if math.isnan(pair.difference) else pair.difference
            if pair.p is not None:
                equal = pair.equal_within(results.margin(dataset))
                row |= {"practically_equal": "yes" if equal else "no", "holds_for": PAIRED_HOLDS}
            rows.append(row)
    return rows


def _untested(results: GridResults, found: Comparison, attacked: Attacked) -> list[PairTest]:
    return [
        PairTest(arm, other, math.nan)
        for arm, other in combinations(found.arms, 2)
        if attacked != COST or results.one_is_attacked(arm, other)
    ]


def family_words(attacked: Attacked) -> str:
    """Which arms a family compares, where a grid has attackers."""
    return "an unattacked and an attacked arm" if attacked == COST else attacked.words


def verdict(pair: PairTest) -> str:
    """Whether two arms are told apart, in a word or two."""
    if pair.p is None:
        return "not testable"
    return "yes" if pair.separated else "no"


def rank_rows(results: GridResults) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of the table of places: an arm's for a question, and its mean place."""
    places: dict[tuple[str, Attacked, str], dict[str, int]] = {}
    for dataset in results.datasets:
        for found in (*findings(results, dataset), *findings_attacked(results, dataset)):
            for arm in found.ranking.order if found.partition else ():
                column = f"{dataset} / {found.partition}"
                of_arm = places.setdefault((found.question, found.attacked, arm), {})
                of_arm[column] = found.ranking.place(arm)
    columns = [
        f"{dataset} / {partition}"
        for dataset in results.datasets
        for partition in results.partitions_of(dataset)
    ]
    rows: list[dict[str, Any]] = []
    for (question, attacked, arm), by_column in places.items():
        # An arm that lacks a place somewhere gets no mean place: it would not compare with others.
        whole = len(by_column) == len(columns)
        mean = math.fsum(by_column.values()) / len(columns) if whole else None
        under = {ATTACKED: attacked.words} if results.attacks else {}
        row = {"arm": arm, "question": question, **under, **by_column, "mean place": mean}
        rows.append(row)
    order = [PEACE.words, *(one.words for one in results.attacks)]
    rows.sort(
        key=lambda row: (
            row["question"],
            order.index(row.get(ATTACKED, PEACE.words)),
            row["mean place"] or math.inf,
        )
    )
    first = ["arm", "question", *([ATTACKED] if results.attacks else [])]
    return [*first, *columns, "mean place"], rows


PLACES_SAY = "Places say nothing of how sure they are: paired.csv has the test of every two arms."


def ranking_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> GroupedTable:
    """The places of arms for readers, by question."""
    shown = [column for column in columns if column not in ("arm", "question", ATTACKED)]
    made = tuple(
        ArmRow(
            str(row["arm"]),
            ", ".join([TITLES[row["question"]].capitalize(), *filter(None, [row.get(ATTACKED)])]),
            tuple(Entry(_rank_text(row.get(column)), value=row.get(column)) for column in shown),
        )
        for row in rows
    )
    header = ("Arm", *map(place_title, shown))
    title = "Places by the mean primary metric on test samples, for each question"
    return GroupedTable(title, header, made, (PLACES_SAY, HOLDS))


def place_title(column: str) -> str:
    """``toy, Dirichlet α = 0.5`` for ``toy / dirichlet-0.5``."""
    dataset, found, partition = column.partition(" / ")
    return f"{dataset}, {partition_title(partition)}" if found else column.capitalize()


def _rank_text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


PAIR_HEAD = ("Arm", "Other", "Difference (points)", "95 % interval", "p (Holm)", "Told apart")


def pair_tables(
    results: GridResults, rows: Sequence[Mapping[str, Any]]
) -> list[tuple[str, GroupedTable]]:
    """The tests of every two arms for a paper: a table for each family of claims."""
    made = []
    for dataset, partition, question, attacked in results.families:
        family = {"dataset": dataset, "partition": partition, "question": question}
        family |= {ATTACKED: family_words(attacked)} if results.attacks else {}
        found = [row for row in rows if family.items() <= row.items()]
        lines = tuple(ArmRow(row["arm"], "", tuple(map(Entry, _pair_cells(row)))) for row in found)
        metric = results.primary(dataset, question).title
        title = f"{metric} of every two arms, {partition_title(partition)}, {TITLES[question]}"
        title += f", {family_words(attacked)}" if results.attacks else ""
        reason = next((row["reason"] for row in found if row["reason"]), "")
        notes = (f"No test: {reason}.",) if reason else (HOLDS,)
        if lines:
            made.append((dataset, GroupedTable(title, PAIR_HEAD, lines, notes, question)))
    return made


def _pair_cells(row: Mapping[str, Any]) -> list[str]:
    """What stands behind the first arm, in points."""
    low, high, p = row["low"], row["high"], row["p_holm"]
    difference = "–" if row["difference"] is None else f"{100 * row['difference']:+.1f}"
    ends = "–" if low is None or high is None else f"{100 * low:+.1f} to {100 * high:+.1f}"
    return [row["other"], difference, ends, "–" if p is None else f"{p:.3f}", row["separated"]]
