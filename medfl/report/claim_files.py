"""Writes the places of arms and every pair's test: ``ranking.{csv,md}`` and ``paired.csv``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from medfl.files import write_csv, write_text
from medfl.report.findings import findings
from medfl.report.grid_results import GridResults
from medfl.report.markup import escape_markdown
from medfl.report.questions import HOLDS
from medfl.report.statistics.pairs import Comparison, PairTest

PAIRED_COLUMNS = (
    *("dataset", "partition", "question", "metric", "arm", "other", "seeds", "test_patients"),
    *("difference", "low", "high", "p", "p_holm", "separated", "practically_equal"),
    *("holds_for", "reason"),
)
PAIRED_HOLDS = "new patients, these training patients"


def write_findings(results: GridResults, folder: str | Path) -> list[Path]:
    """Write the files; return their paths."""
    folder = Path(folder)
    columns, ranks = rank_rows(results)
    write_csv(folder / "ranking.csv", columns, ranks)
    write_text(folder / "ranking.md", _ranking_markdown(columns, ranks))
    write_csv(folder / "paired.csv", PAIRED_COLUMNS, paired_rows(results))
    return [folder / name for name in ("ranking.csv", "ranking.md", "paired.csv")]


def paired_rows(results: GridResults) -> list[dict[str, Any]]:
    """Every two arms of each family, the one with the higher mean first."""
    rows = []
    for dataset, partition, question in results.families:
        found = results.comparison(dataset, partition, question)
        about: dict[str, Any] = {"dataset": dataset, "partition": partition, "question": question}
        about["metric"] = results.primary(dataset, question).metric
        about |= {"seeds": len(found.seeds), "reason": found.reason}
        about["test_patients"] = found.patients if found.folds == "shared" else found.folds
        for pair in found.pairs or _untested(found):
            row = about | {name: getattr(pair, name) for name in ("arm", "other", "low", "high")}
            row |= {"p": pair.p, "p_holm": pair.p_holm, "separated": verdict(pair)}
            row["difference"] = None if math.isnan(pair.difference) else pair.difference
            if pair.p is not None:
                equal = pair.equal_within(results.margin(dataset))
                row |= {"practically_equal": "yes" if equal else "no", "holds_for": PAIRED_HOLDS}
            rows.append(row)
    return rows


def _untested(found: Comparison) -> list[PairTest]:
    return [PairTest(arm, other, math.nan) for arm, other in combinations(found.arms, 2)]


def verdict(pair: PairTest) -> str:
    """Whether two arms are told apart, in a word or two."""
    if pair.p is None:
        return "not testable"
    return "yes" if pair.separated else "no"


def rank_rows(results: GridResults) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of the table of places: an arm's for a question, and its mean place."""
    places: dict[tuple[str, str], dict[str, int]] = {}
    for dataset in results.datasets:
        for found in findings(results, dataset):
            for arm in found.ranking.order if found.partition else ():
                column = f"{dataset} / {found.partition}"
                places.setdefault((found.question, arm), {})[column] = found.ranking.place(arm)
    columns = [
        f"{dataset} / {partition}"
        for dataset in results.datasets
        for partition in results.partitions
    ]
    rows: list[dict[str, Any]] = []
    for (question, arm), by_column in places.items():
        # An arm that lacks a place somewhere gets no mean place: it would not compare with others.
        whole = len(by_column) == len(columns)
        mean = math.fsum(by_column.values()) / len(columns) if whole else None
        rows.append({"arm": arm, "question": question, **by_column, "mean place": mean})
    rows.sort(key=lambda row: (row["question"], row["mean place"] or math.inf))
    return ["arm", "question", *columns, "mean place"], rows


def _ranking_markdown(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "## Places by the mean primary metric on test samples, for each question",
        "",
        "| " + " | ".join(escape_markdown(column) for column in columns) + " |",
        "|" + "|".join([":--", ":--"] + ["--:"] * (len(columns) - 2)) + "|",
    ]
    for row in rows:
        cells = [_rank_text(row.get(column)) for column in columns]
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells) + " |")
    return "\n".join([*lines, "", PLACES_SAY, "", HOLDS]) + "\n"


PLACES_SAY = "Places say nothing of how sure they are: paired.csv has the test of every two arms."


def _rank_text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
