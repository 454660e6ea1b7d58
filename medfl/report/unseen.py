"""The table over hospitals never seen: what each arm is worth at a hospital that took no part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medfl.files import write_text
from medfl.partition.site_words import left_out_site
from medfl.report.cell_state import CellState
from medfl.report.grid_results import GridResults
from medfl.report.latex import latex
from medfl.report.markup import markdown
from medfl.report.names import join_words
from medfl.report.notes import MARKS
from medfl.report.questions import bare
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.statistics import Summary, summarise
from medfl.report.tables import ArmRow, ArmTable, Entry, make_table
from medfl.results.column import Column
from medfl.results.columns import OWN, judged

NAME = "unseen"
COLUMNS = ("dataset", "arm", "site", "metric", "mean", "sd", "n", "test_samples", "unseen_by")
ANSWERED = {
    "server": "the server's model, before any tuning to a hospital's own patients",
    "average": "the server's shared entries, and the weighted mean of the clients' own layers and "
    "their statistics",
    "answers": "the mean of the probabilities that all clients' models give (for everyone: the "
    "mean of what the models are worth one by one)",
}


def unseen_partitions(results: GridResults, dataset: str) -> dict[str, str]:
    """Partition → the site that it leaves out, the one with the lowest mean over arms first."""
    sites = {word: left_out_site(word) for word in results.partitions_of(dataset)}
    metric = results.primary(dataset)

    def mean(word: str) -> float:
        found = [results.state(dataset, word, arm, metric).summary for arm in results.arms]
        known = [one.mean for one in found if one]
        return math.fsum(known) / len(known) if known else math.inf

    unseen = {word: site for word, site in sites.items() if site is not None}
    return {word: unseen[word] for word in sorted(unseen, key=mean)}


def unseen_table(results: GridResults, dataset: str) -> ArmTable | None:
    """A row for each arm: its worst hospital, the mean over hospitals, each one; the worst first.

    None for a dataset without such partitions.
    """
    sites = unseen_partitions(results, dataset)
    if not sites:
        return None
    metric = results.primary(dataset)
    places = [(word, metric) for word in sites]
    made = make_table(results, dataset, metric.title, places, [OWN])
    by_label = dict(zip((row.label for row in made.rows), results.arms, strict=False))
    rows = [
        _with_worst(row, results, dataset, by_label.get(row.label), list(sites.items()), metric)
        for row in made.rows
    ]
    kept = [note for note in made.notes if note.startswith(("Data:", "Cells:"))]
    head = ("Arm", "Worst hospital", "Mean", *sites.values())
    if len(sites) == 1:
        head = ("Arm", *sites.values())
        rows = list(made.rows)
    return replace(
        made,
        title=f"{metric.title} at hospitals never seen",
        header=head,
        rows=tuple(rows),
        notes=(*_says(results, dataset, list(sites)), *kept, MARKS),
    )


def _with_worst(
    row: ArmRow,
    results: GridResults,
    dataset: str,
    arm: str | None,
    sites: Sequence[tuple[str, str]],
    metric: Column,
) -> ArmRow:
    """The row with its lowest hospital and the mean over all of them before its other cells."""
    known = [(entry.value, site) for entry, (_, site) in zip(row.entries, sites, strict=True)]
    found = [(value, site) for value, site in known if value is not None]
    if not found:
        return replace(row, entries=(Entry("–"), Entry("–"), *row.entries))
    worst, site = min(found)
    first = Entry(f"{metric.format(worst)} ({site})", value=worst)
    whole = len(found) == len(sites)
    mean = math.fsum(value for value, _ in found) / len(found)
    text = metric.format(mean) if whole else "–"
    if arm and whole:
        summary = _over_sites(results, dataset, arm, [word for word, _ in sites], metric)
        seeds = len(results.seeds)
        text = CellState(summary, seeds, 0, 0).describe(metric)
    return replace(row, entries=(first, Entry(text, value=mean if whole else None), *row.entries))


def _over_sites(
    results: GridResults, dataset: str, arm: str, words: Sequence[str], metric: Column
) -> Summary | None:
    """The mean over hospitals, seed by seed, of the seeds that have all of them."""
    by_word = [results.values(dataset, word, arm, metric) for word in words]
    seeds = [seed for seed in by_word[0] if all(seed in found for found in by_word)]
    means = [math.fsum(found[seed] for found in by_word) / len(words) for seed in seeds]
    return summarise(means) if means else None


def _says(results: GridResults, dataset: str, words: Sequence[str]) -> list[str]:
    """What the cells are, and by what each arm is judged."""
    metric = bare(results.primary(dataset))
    found = [
        f"Each column: the {metric} on all patients of one hospital, by a federation of all others "
        "that knows nothing of it. “Worst hospital”: the lowest mean over seeds; the lowest of "
        "several is too low by luck as well. Claims of each hospital: tables/paired.csv."
    ]
    by: dict[str, list[str]] = {}
    for arm in results.arms:
        records = [run.record for word in words for run in results.at(dataset, word, arm)]
        how = {record.unseen_by for record in records if record and record.unseen_by}
        for one in how:
            by.setdefault(one, []).append(arm)
    found += [
        f"{join_words(arms)}: judged by {ANSWERED.get(how, how)}." for how, arms in by.items()
    ]
    return found + _held_back(results, dataset)


def _held_back(results: GridResults, dataset: str) -> list[str]:
    """A note on the hospitals of which nothing may be published."""
    metric = results.primary(dataset)
    gone = [
        site
        for word, site in unseen_partitions(results, dataset).items()
        if not any(results.values(dataset, word, arm, metric) for arm in results.arms)
        and any(
            run.completed and run.record and run.record.minimum_cell
            for arm in results.arms
            for run in results.at(dataset, word, arm)
        )
    ]
    if not gone:
        return []
    return [
        f"Not published: {join_words(gone)}, whose test samples or patients are fewer than "
        "`report: minimum_cell`; so there is no mean over hospitals."
    ]


def write_unseen(results: GridResults, folder: Path) -> None:
    """Write the tables as CSV, Markdown and LaTeX; none where no hospital is left out."""
    titled = [
        (dataset, table)
        for dataset in results.datasets
        if (table := unseen_table(results, dataset)) is not None
    ]
    files = [folder / f"{NAME}.{ending}" for ending in ("csv", "md", "tex")]
    if not titled:
        for path in files:
            path.unlink(missing_ok=True)
        return
    rows = [row for dataset, _ in titled for row in _rows(results, dataset)]
    write_spreadsheet(files[0], COLUMNS, rows)
    write_text(files[1], markdown(titled))
    write_text(files[2], latex(titled, NAME))


def _rows(results: GridResults, dataset: str) -> list[dict[str, Any]]:
    """A row for each arm and hospital, by both questions, the worst hospital first."""
    rows = []
    asked = results.questions(dataset)
    metrics = [judged(results.primary(dataset).metric, question) for question in reversed(asked)]
    for word, site in unseen_partitions(results, dataset).items():
        for arm in results.arms:
            for metric in metrics:
                found = results.state(dataset, word, arm, metric).summary
                records = [run.record for run in results.at(dataset, word, arm) if run.record]
                sizes = {record.test.n for record in records}
                row: dict[str, Any] = {"dataset": dataset, "arm": arm, "site": site}
                row |= {"metric": metric.name, "mean": found and found.mean}
                row |= {"sd": found and found.sd, "n": found.n if found else 0}
                row["test_samples"] = sizes.pop() if len(sizes) == 1 else None
                row["unseen_by"] = next((record.unseen_by for record in records), None)
                rows.append(row)
    return rows
