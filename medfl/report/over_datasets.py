"""What the data sets of a grid say together: in words, as a table and as a diagram."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medfl.report.claim_files import verdict
from medfl.report.grid_results import GridResults
from medfl.report.names import plural
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.statistics.over_datasets import OverDatasets, needed, over_datasets
from medfl.results.columns import EVERYONE, OWN

COLUMNS = ("question", "datasets", "arm", "other", "difference", "p", "p_holm", "separated")


@dataclass(frozen=True)
class DatasetsTogether:
    """All data sets, for one question.

    Attributes:
        question: ``EVERYONE`` or ``OWN``.
        words: what may be said, in a sentence or two.
        found: the tests and ranks; None for fewer than two arms or data sets.
        picture: the diagram, where it was drawn.
    """

    question: str
    words: str
    found: OverDatasets | None = None
    picture: Path | None = None


def together(results: GridResults) -> list[DatasetsTogether]:
    """What all data sets say, for each question that any of them has."""
    asked = {question for dataset in results.datasets for question in results.questions(dataset)}
    made = []
    for question in (EVERYONE, OWN):
        if question in asked:
            found = over_datasets(_means(results, question))
            made.append(DatasetsTogether(question, _words(results, found), found))
    return made


def draw_over_datasets(results: GridResults, folder: Path) -> list[DatasetsTogether]:
    """The same, with a diagram where there are data sets enough for one."""
    from medfl.pages.figures import save  # matplotlib takes longer to import than tables to write
    from medfl.report.plots.ranks import draw_ranks

    made = []
    for one in together(results):
        picture = None
        if one.found and one.found.pairs:
            picture = save(draw_ranks(one.found), folder / f"datasets_{one.question}")
        made.append(DatasetsTogether(one.question, one.words, one.found, picture))
    return made


def write_over_datasets(results: GridResults, path: Path) -> None:
    """Write every pair's test over data sets; no file where none is made."""
    rows: list[dict[str, Any]] = []
    for one in together(results):
        for pair in one.found.pairs if one.found else ():
            assert one.found
            row = {name: getattr(pair, name) for name in ("arm", "other", "difference", "p")}
            row |= {"question": one.question, "datasets": len(one.found.datasets)}
            rows.append(row | {"p_holm": pair.p_holm, "separated": verdict(pair)})
    path.unlink(missing_ok=True)
    if rows:
        write_spreadsheet(path, COLUMNS, rows)


def _means(results: GridResults, question: str) -> dict[str, dict[str, float]]:
    """Arm → data set → mean over seeds and partitions, of arms that compete in all data sets."""
    means: dict[str, dict[str, float]] = {}
    for dataset in results.datasets:
        metric = results.primary(dataset, question)
        for arm in results.contenders(dataset):
            summary = results.state(dataset, None, arm, metric).summary
            if summary:
                means.setdefault(arm, {})[dataset] = summary.mean
    return means


def _words(results: GridResults, found: OverDatasets | None) -> str:
    sets = plural(len(results.datasets), "data set")
    if found is None or not found.pairs:
        arms = len(found.arms) if found else len(results.contenders(results.datasets[0]))
        if arms < 2:
            return "there are no two arms to compare."
        return (
            f"no claim of {sets}: with {arms} arms, Wilcoxon's test and Holm's correction can "
            f"reach 5 % from {needed(arms)} data sets on."
        )
    told = sum(pair.separated for pair in found.pairs)
    friedman = "" if found.friedman is None else f" Friedman's test: p = {found.friedman:.3g}."
    return (
        f"of {plural(len(found.pairs), 'pair')} of arms {told} told apart over {sets} (Wilcoxon's "
        f"signed-rank test, Holm, p < 0.05); best mean rank: {found.arms[0]}, "
        f"{found.ranks[0]:.2f}.{friedman}"
    )
