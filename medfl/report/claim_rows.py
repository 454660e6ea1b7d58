"""The claims of a grid as rows of the page's tables, in words."""

from __future__ import annotations

from typing import Any

from medfl.partition import partition_title
from medfl.report.attacked import PEACE
from medfl.report.claim_files import place_title, rank_rows, verdict
from medfl.report.findings import (
    Finding,
    findings,
    findings_attacked,
    interval,
    mean_and_sd,
)
from medfl.report.grid_results import GridResults
from medfl.report.questions import TITLES
from medfl.report.statistics.pairs import PairTest


def finding_row(finding: Finding) -> dict[str, Any]:
    """The best federated arm of a partition by one question, of those attacked alike."""
    summary = finding.ranking.summaries[finding.ranking.best]
    return {
        "partition": partition_title(finding.partition)
        if finding.partition
        else "Mean over partitions",
        "question": _asked(finding),
        "best": finding.best,
        "score": mean_and_sd(summary, finding.metric),
        "interval": interval(finding.interval or (None, None), finding.metric) or "–",
        "seeds": summary.n,
        "certainty": finding.certainty,
    }


def ranking_rows(results: GridResults) -> dict[str, Any]:
    """The columns, their titles and the rows of the table of places."""
    columns, rows = rank_rows(results)
    titles = [place_title(column) for column in columns]
    return {"columns": columns, "titles": titles, "rows": rows}


def best_against_others(results: GridResults) -> list[dict[str, Any]]:
    """The tests of the best ranked arm against each other arm; ``paired.csv`` has all pairs."""
    rows = []
    for dataset in results.datasets:
        for found in (*findings(results, dataset), *findings_attacked(results, dataset)):
            best, comparison = found.ranking.best, found.comparison
            for pair in comparison.pairs if comparison else ():
                if best in (pair.arm, pair.other):
                    rows.append(_pair(found, pair))
    return rows


def _asked(found: Finding) -> str:
    """``own patients``; ``own patients, under alie (20 %)``."""
    under = f", under {found.attacked.words}" if found.attacked != PEACE else ""
    return f"{TITLES[found.question]}{under}"


def _pair(found: Finding, pair: PairTest) -> dict[str, Any]:
    """A row of that table: the best arm minus the other, in points."""
    first = pair.arm == found.ranking.best
    sign = 1 if first else -1
    ends = sorted(sign * end for end in (pair.low, pair.high) if end is not None)
    return {
        "dataset": found.dataset,
        "partition": partition_title(found.partition or ""),
        "question": _asked(found),
        "best": found.best,
        "arm": found.mark(pair.other if first else pair.arm),
        "seeds": len(found.comparison.seeds) if found.comparison else 0,
        "difference": f"{100 * sign * pair.difference:+.1f}",
        "interval": " to ".join(f"{100 * end:+.1f}" for end in ends) or "–",
        "p": "–" if pair.p is None else f"{pair.p:.3f}",
        "p_holm": "–" if pair.p_holm is None else f"{pair.p_holm:.3f}",
        "separated": verdict(pair),
        "equal": "yes" if pair.equal_within(found.margin) else "no",
    }
