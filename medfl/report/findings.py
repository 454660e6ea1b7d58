"""Says which algorithm is best, as far as the numbers allow it and no further."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medfl.files import write_csv, write_text
from medfl.report import names
from medfl.report.grid_results import GridResults
from medfl.report.markup import escape_markdown
from medfl.report.questions import HOLDS, about
from medfl.report.statistics import MIN_SEEDS, PairedTest, Ranking, Summary
from medfl.results.column import Column


@dataclass(frozen=True)
class Finding:
    """The best arm on a dataset for one question, in one partition or in the mean over all.

    Attributes:
        dataset: the dataset.
        partition: the partition; None for the mean over all.
        question: ``EVERYONE`` or ``OWN``.
        metric: the primary metric, as the answer to that question.
        ranking: the arms from best to worst.
        marked: the arms that answer by each client's own model.
        chance: the metric where no image is looked at, if the best arm is not clearly above it.
        about: the question's name, where the dataset's arms answer two.
    """

    dataset: str
    partition: str | None
    question: str
    metric: Column
    ranking: Ranking
    marked: frozenset[str] = frozenset()
    chance: float | None = None
    about: str = ""

    @property
    def best(self) -> str:
        """The best arm's name, with † if its models are the clients' own."""
        return self.mark(self.ranking.best)

    def mark(self, arm: str) -> str:
        """The name of an arm, with † if its models are the clients' own."""
        return names.arm_label(arm, arm in self.marked)

    @property
    def score(self) -> str:
        """``87.3 ± 0.4 % (3 seeds, 95 % interval over re-runs 86.3 to 88.3)``."""
        return describe(self.ranking.summaries[self.ranking.best], self.metric)

    @property
    def certainty(self) -> str:
        """How sure it is that the best arm is better than the others, in words."""
        words = self._apart()
        if self.chance is not None:
            unit = f" {self.metric.unit}" if self.metric.unit else ""
            words += (
                f"; NOT clearly better than an answer without any image "
                f"({self.metric.format(self.chance)}{unit})"
            )
        return words

    def _apart(self) -> str:
        ranking = self.ranking
        if not ranking.tests:
            return "the only arm that is ranked"
        unclear = [self.mark(arm) for arm in ranking.not_separated]
        tied = [self.mark(arm) for arm in ranking.order[1:] if ranking.place(arm) == 1]
        best = f"best mean, the same as of {names.join_words(tied)}" if tied else "best mean"
        seeds = ranking.summaries[ranking.best].n
        if not any(test.p is not None for test in ranking.tests):
            reason = (
                f"{names.plural(seeds, 'seed')} cannot tell it from the others "
                f"(a paired test needs {MIN_SEEDS})"
                if min(test.n for test in ranking.tests) < MIN_SEEDS
                else "the differences between seeds have no spread, so no test can be made"
            )
            return f"{best}; {reason}"
        if not unclear:
            return (
                "better than every other arm in re-runs on these test patients, which says nothing "
                "of new patients (paired t-tests over seeds, Holm, p < 0.05)"
            )
        others = len(ranking.tests)
        if len(unclear) == others and others > 3:
            return f"{best}; not distinguishable from any of the other {others}"
        return f"{best}; not distinguishable from {names.join_words(unclear)}"


def mean_and_sd(summary: Summary, metric: Column) -> str:
    """``87.3 ± 0.4``, as readers see the metric; the mean alone where there is one seed."""
    mean = metric.format(summary.mean)
    return mean if summary.sd is None else f"{mean} ± {metric.format(summary.sd)}"


def interval(summary: Summary, metric: Column) -> str:
    """``86.3 to 88.3``, cut to what the metric can be; empty for one seed."""
    if summary.low is None or summary.high is None:
        return ""
    least = -1.0 if metric.metric == "kappa" else 0.0
    ends = (min(1.0, max(least, end)) for end in (summary.low, summary.high))
    return " to ".join(metric.format(end) for end in ends)


def describe(summary: Summary, metric: Column) -> str:
    """A mean with its uncertainty."""
    value = mean_and_sd(summary, metric) + (f" {metric.unit}" if metric.unit else "")
    if summary.sd is None:
        return f"{value} (1 seed: no interval)"
    ends = interval(summary, metric)
    return f"{value} ({summary.n} seeds, 95 % interval over re-runs {ends})"


def findings(results: GridResults, dataset: str) -> list[Finding]:
    """The best arm for each question in each partition of a dataset, where there is one."""
    parts: list[str | None] = [*results.partitions]
    if len(parts) > 1:
        parts.append(None)
    found = (
        finding(results, dataset, part, question)
        for part in parts
        for question in results.questions(dataset)
    )
    return [one for one in found if one]


def finding(
    results: GridResults, dataset: str, partition: str | None, question: str
) -> Finding | None:
    """The best arm for one question; ``partition`` None means the mean over all partitions."""
    metric = results.primary(dataset, question)
    ranking = results.ranking(dataset, partition, metric)
    if ranking is None:
        return None
    chance = results.chance(dataset, partition, metric)
    low = ranking.best in results.not_above_chance(dataset, partition, question)
    return Finding(
        dataset,
        partition,
        question,
        metric,
        ranking,
        frozenset(arm for arm in results.arms if results.marked(dataset, arm, question)),
        chance.mean if chance and low else None,
        about(results, dataset, question),
    )


def write_findings(results: GridResults, folder: str | Path) -> list[Path]:
    """Write the ranks and the paired tests: ``ranking.{csv,md}`` and ``paired.csv``."""
    folder = Path(folder)
    columns, ranks = rank_rows(results)
    write_csv(folder / "ranking.csv", columns, ranks)
    write_text(folder / "ranking.md", _ranking_markdown(columns, ranks))
    write_csv(folder / "paired.csv", PAIRED_COLUMNS, paired_rows(results))
    return [folder / name for name in ("ranking.csv", "ranking.md", "paired.csv")]


PAIRED_COLUMNS = (
    *("dataset", "partition", "question", "metric", "best", "arm", "seeds"),
    *("difference", "p", "p_holm", "separated", "holds_for"),
)
PAIRED_HOLDS = "re-runs on these test patients, not new patients"


def paired_rows(results: GridResults) -> list[dict[str, Any]]:
    """Compare the best arm with each other one by the primary metric, seed by seed."""
    rows = []
    for dataset in results.datasets:
        for found in findings(results, dataset):
            for test in found.ranking.tests if found.partition else ():
                rows.append(
                    {
                        "dataset": dataset,
                        "partition": found.partition,
                        "question": found.question,
                        "metric": found.metric.metric,
                        "best": found.ranking.best,
                        "arm": test.arm,
                        "seeds": test.n,
                        "difference": test.difference,
                        "p": test.p,
                        "p_holm": test.p_holm,
                        "separated": _verdict(test),
                        "holds_for": PAIRED_HOLDS,
                    }
                )
    return rows


def _verdict(test: PairedTest) -> str:
    if test.p is None:
        return "not testable"
    return "yes" if test.separated else "no"


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
    return "\n".join([*lines, "", HOLDS]) + "\n"


def _rank_text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
