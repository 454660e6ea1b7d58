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
from medfl.report.statistics import MIN_SEEDS, PairedTest, Ranking, Summary
from medfl.results.columns import ACCURACY
from medfl.results.runs import GLOBAL, PERSONAL

RANKED = (GLOBAL, PERSONAL)


@dataclass(frozen=True)
class Finding:
    """The best arm of one group on a dataset, in one partition or (None) in the mean over all."""

    dataset: str
    partition: str | None
    role: str
    ranking: Ranking

    @property
    def best(self) -> str:
        """The best arm's name, with † if its models are personal."""
        return self.mark(self.ranking.best)

    def mark(self, arm: str) -> str:
        """The name of an arm of this group, with † if its models are personal."""
        return names.arm_label(arm, self.role)

    @property
    def score(self) -> str:
        """``87.3 ± 0.4 % (3 seeds, 95 % interval 86.3 to 88.3)``."""
        return describe(self.ranking.summaries[self.ranking.best])

    @property
    def certainty(self) -> str:
        """How sure it is that the best arm is better than the others, in words."""
        ranking = self.ranking
        if not ranking.tests:
            return "the only arm of its group"
        unclear = [self.mark(arm) for arm in ranking.not_separated]
        seeds = ranking.summaries[ranking.best].n
        if not any(test.p is not None for test in ranking.tests):
            reason = (
                f"{names.plural(seeds, 'seed')} cannot tell it from the others "
                f"(a paired test needs {MIN_SEEDS})"
                if min(test.n for test in ranking.tests) < MIN_SEEDS
                else "the differences between seeds have no spread, so no test can be made"
            )
            return f"best mean; {reason}"
        if not unclear:
            return "better than every other arm (paired t-tests over seeds, Holm, p < 0.05)"
        others = len(ranking.tests)
        if len(unclear) == others and others > 3:
            return f"best mean; not distinguishable from any of the other {others}"
        return f"best mean; not distinguishable from {names.join_words(unclear)}"


def mean_and_sd(summary: Summary) -> str:
    """``87.3 ± 0.4``, in percent; the mean alone where there is one seed."""
    mean = ACCURACY.format(summary.mean)
    return mean if summary.sd is None else f"{mean} ± {ACCURACY.format(summary.sd)}"


def interval(summary: Summary) -> str:
    """``86.3 to 88.3``, in percent and cut to what accuracy can be; empty for one seed."""
    if summary.low is None or summary.high is None:
        return ""
    ends = (min(1.0, max(0.0, end)) for end in (summary.low, summary.high))
    return " to ".join(ACCURACY.format(end) for end in ends)


def describe(summary: Summary) -> str:
    """A mean with its uncertainty, in percent."""
    if summary.sd is None:
        return f"{mean_and_sd(summary)} % (1 seed: no interval)"
    return f"{mean_and_sd(summary)} % ({summary.n} seeds, 95 % interval {interval(summary)})"


def findings(results: GridResults, dataset: str) -> list[Finding]:
    """The best arm of each group in each partition of a dataset, where there is one."""
    found = []
    for partition in results.partitions:
        for role in RANKED:
            ranking = results.ranking(dataset, partition, role)
            if ranking:
                found.append(Finding(dataset, partition, role, ranking))
    return found


def overall(results: GridResults, dataset: str) -> Finding | None:
    """The best arm by mean accuracy over the partitions: a global model, else a personal one."""
    for role in RANKED:
        ranking = results.ranking(dataset, None, role)
        if ranking:
            return Finding(dataset, None, role, ranking)
    return None


def write_findings(results: GridResults, folder: str | Path) -> list[Path]:
    """Write the ranks and the paired tests: ``ranking.{csv,md}`` and ``paired.csv``."""
    folder = Path(folder)
    columns, ranks = rank_rows(results)
    write_csv(folder / "ranking.csv", columns, ranks)
    write_text(folder / "ranking.md", _ranking_markdown(columns, ranks))
    write_csv(folder / "paired.csv", PAIRED_COLUMNS, paired_rows(results))
    return [folder / name for name in ("ranking.csv", "ranking.md", "paired.csv")]


PAIRED_COLUMNS = (
    *("dataset", "partition", "group", "best", "arm", "seeds"),
    *("difference", "p", "p_holm", "separated"),
)


def paired_rows(results: GridResults) -> list[dict[str, Any]]:
    """Compare the best arm with each other arm of its group by test accuracy, seed by seed."""
    rows = []
    for dataset in results.datasets:
        for finding in findings(results, dataset):
            for test in finding.ranking.tests:
                rows.append(
                    {
                        "dataset": dataset,
                        "partition": finding.partition,
                        "group": finding.role,
                        "best": finding.ranking.best,
                        "arm": test.arm,
                        "seeds": test.n,
                        "difference": test.difference,
                        "p": test.p,
                        "p_holm": test.p_holm,
                        "separated": _verdict(test),
                    }
                )
    return rows


def _verdict(test: PairedTest) -> str:
    if test.p is None:
        return "not testable"
    return "yes" if test.separated else "no"


def rank_rows(results: GridResults) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of the table of places: an arm's place in its group, and its mean place."""
    places: dict[tuple[str, str], dict[str, int]] = {}
    for dataset in results.datasets:
        for finding in findings(results, dataset):
            for place, arm in enumerate(finding.ranking.order, start=1):
                column = f"{dataset} / {finding.partition}"
                places.setdefault((finding.role, arm), {})[column] = place
    columns = [
        f"{dataset} / {partition}"
        for dataset in results.datasets
        for partition in results.partitions
    ]
    rows: list[dict[str, Any]] = []
    for (role, arm), by_column in places.items():
        # An arm that lacks a place somewhere gets no mean place: it would not compare with others.
        whole = len(by_column) == len(columns)
        mean = math.fsum(by_column.values()) / len(columns) if whole else None
        rows.append({"arm": arm, "group": role, **by_column, "mean place": mean})
    rows.sort(key=lambda row: (RANKED.index(row["group"]), row["mean place"] or math.inf))
    return ["arm", "group", *columns, "mean place"], rows


def _ranking_markdown(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "## Places by mean test accuracy, within each group",
        "",
        "| " + " | ".join(escape_markdown(column) for column in columns) + " |",
        "|" + "|".join([":--", ":--"] + ["--:"] * (len(columns) - 2)) + "|",
    ]
    for row in rows:
        cells = [_rank_text(row.get(column)) for column in columns]
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _rank_text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
