"""Writes ``report.html``, one page that holds all it shows: it opens offline and prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from medfl.errors import MedflError
from medfl.files import read_yaml, write_text
from medfl.pages.html import data_uri, environment
from medfl.partition import partition_title
from medfl.report.claim_files import rank_rows, verdict
from medfl.report.figures import Picture
from medfl.report.findings import Finding, findings, interval, mean_and_sd
from medfl.report.grid_results import GridResults
from medfl.report.origin import arm_rows, code_origin, count_edited_sources, input_hashes
from medfl.report.over_datasets import DatasetsTogether
from medfl.report.plots.base import GridFigure, Shown
from medfl.report.privacy import protects
from medfl.report.privacy_tables import privacy_tables
from medfl.report.questions import HOLDS, MEANINGS, TITLES, families_say
from medfl.report.searches import TuningSection
from medfl.report.statistics.pairs import PairTest
from medfl.report.tables import main_tables, metric_table, metrics_with_values
from medfl.results.columns import EVERYONE, OWN, judged
from medfl.results.runs import MISSING, Run
from medfl.results.schema import DIVERGED

SHOWN = get_args(Shown)
TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    results: GridResults,
    path: Path,
    *,
    figures: Sequence[Picture],
    splits: Mapping[tuple[str, str, int], Path],
    prepared_dir: Path | None,
    configuration: Mapping[str, Any],
    over: Sequence[DatasetsTogether] = (),
    tuning: TuningSection | None = None,
) -> None:
    """Fill the template and write the page.

    Args:
        results: the runs.
        path: where the page goes.
        figures: the pictures to embed, and those that are not drawn, which the page names.
        splits: the split file of each (dataset, partition, seed), whose picture lies beside it.
        prepared_dir: the folder of ``<dataset>/dataset.yaml``; where it is None, the page says
            nothing about the data.
        configuration: the grid as it was given.
        over: what all data sets say together.
        tuning: what was searched for the values of tuned runs.
    """
    datasets = [
        _dataset(results, dataset, figures, splits, prepared_dir) for dataset in results.datasets
    ]
    page = (
        environment(TEMPLATES)
        .get_template("report.html.j2")
        .render(
            results=results,
            datasets=datasets,
            over=[(TITLES[one.question], one) for one in over],
            ranking=_ranking(results),
            paired=_paired(results),
            tuning=tuning,
            arms=arm_rows(results),
            private=any(protects(results, dataset) for dataset in results.datasets),
            diverged=[_place(run) for run in results.having(DIVERGED)],
            missing=[_place(run) for run in results.having(MISSING)],
            provenance=code_origin(results),
            edited_sources=count_edited_sources(results),
            hashes=input_hashes(results),
            configuration=yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True),
            has_configuration=bool(configuration),
            holds=HOLDS,
            families=families_say(results),
            meanings=[
                MEANINGS[question]
                for question in (EVERYONE, OWN)
                if any(len(results.questions(dataset)) > 1 for dataset in results.datasets)
            ],
        )
    )
    for picture in figures:
        if picture.path and data_uri(picture.path) not in page:
            raise MedflError(f"the report has no place for {picture.path}.")
    write_text(path, page)


def _dataset(
    results: GridResults,
    dataset: str,
    figures: Sequence[Picture],
    splits: Mapping[tuple[str, str, int], Path],
    prepared_dir: Path | None,
) -> dict[str, Any]:
    found = findings(results, dataset)
    mains = main_tables(results, dataset)
    said = {note for made in mains for note in made.notes}
    tables = [metric_table(results, dataset, metric) for metric in metrics_with_values(results)]
    return {
        "name": dataset,
        "card": _card(prepared_dir, dataset),
        "findings": [_finding(finding) for finding in found],
        "primary": judged(results.primary(dataset).metric).title,
        "mains": mains,
        # What stands below the main tables is not said again below each of these.
        "tables": [(made, [note for note in made.notes if note not in said]) for made in tables],
        "privacy": privacy_tables(results, dataset),
        "figures": _figures([one for one in figures if one.subject.dataset == dataset]),
        "splits": _split_pictures(results, dataset, splits),
    }


def _figures(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """The pictures of a dataset by figure, in the order of the grid, and what is not drawn."""
    sections: dict[GridFigure, list[Picture]] = {}
    for picture in pictures:
        sections.setdefault(picture.figure, []).append(picture)
    for figure in sections:
        if figure.shown not in SHOWN:
            raise MedflError(
                f"the report has no place for the figure {type(figure).__name__}, whose `shown` is "
                f"{figure.shown!r}: it must be one of {', '.join(SHOWN)}."
            )
    return [
        {
            "title": figure.title,
            "folded": figure.shown == "folded",
            "pictures": [one for one in found if one.path],
            "not_drawn": _not_drawn(figure, found),
        }
        for figure, found in sections.items()
    ]


def _not_drawn(figure: GridFigure, pictures: Sequence[Picture]) -> str:
    """A sentence on the pictures of a figure that the runs do not suffice for; empty for none."""
    missing = [one.subject.title for one in pictures if one.path is None]
    if not missing:
        return ""
    some = f" ({'; '.join(missing)})" if len(missing) < len(pictures) else ""
    return f"{figure.title}{some}: not drawn, it needs {figure.needs}."


def _card(prepared_dir: Path | None, dataset: str) -> dict[str, Any]:
    """The content of ``dataset.yaml``, which describes the data; {} where the store is missing."""
    path = prepared_dir / dataset / "dataset.yaml" if prepared_dir else None
    if path is None or not path.exists():
        return {}
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise MedflError(f"{path} does not describe a dataset: prepare it again.")
    return content


def _finding(finding: Finding) -> dict[str, Any]:
    summary = finding.ranking.summaries[finding.ranking.best]
    return {
        "partition": partition_title(finding.partition)
        if finding.partition
        else "Mean over partitions",
        "question": TITLES[finding.question],
        "best": finding.best,
        "score": mean_and_sd(summary, finding.metric),
        "interval": interval(finding.interval or (None, None), finding.metric) or "–",
        "seeds": summary.n,
        "certainty": finding.certainty,
    }


def _split_pictures(
    results: GridResults, dataset: str, splits: Mapping[tuple[str, str, int], Path]
) -> list[dict[str, Any]]:
    """The picture of each partition's first seed whose split lies here."""
    pictures = []
    for partition in results.partitions:
        for seed in results.seeds:
            split = splits.get((dataset, partition, seed))
            path = split.with_suffix(".png") if split else None
            if path and path.exists():
                title = partition_title(partition)
                distance = results.label_distance(dataset, partition)
                pictures.append(
                    {
                        "path": path,
                        "caption": f"{dataset}, {title}, seed {seed}: training samples by client "
                        "and class."
                        + (
                            f" Mean Jensen–Shannon distance between clients' labels, over seeds: "
                            f"{distance:.2f}."
                            if distance is not None
                            else ""
                        ),
                    }
                )
                break
    return pictures


def _ranking(results: GridResults) -> dict[str, Any]:
    columns, rows = rank_rows(results)
    titles = [
        column
        if " / " not in column
        else f"{column.split(' / ')[0]}, {partition_title(column.split(' / ')[1])}"
        for column in columns
    ]
    return {"columns": columns, "titles": titles, "rows": rows}


def _paired(results: GridResults) -> list[dict[str, Any]]:
    """The tests of the best ranked arm against each other arm; ``paired.csv`` has all pairs."""
    rows = []
    for dataset in results.datasets:
        for found in findings(results, dataset):
            best, comparison = found.ranking.best, found.comparison
            for pair in comparison.pairs if comparison else ():
                if best in (pair.arm, pair.other):
                    rows.append(_pair(found, pair))
    return rows


def _pair(found: Finding, pair: PairTest) -> dict[str, Any]:
    """A row of that table: the best arm minus the other, in points."""
    first = pair.arm == found.ranking.best
    sign = 1 if first else -1
    ends = sorted(sign * end for end in (pair.low, pair.high) if end is not None)
    return {
        "dataset": found.dataset,
        "partition": partition_title(found.partition or ""),
        "question": TITLES[found.question],
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


def _place(run: Run) -> dict[str, Any]:
    return {
        "dataset": run.dataset,
        "partition": partition_title(run.partition),
        "arm": run.arm,
        "seed": run.seed,
        "rounds": run.record.rounds if run.record else "",
        "reason": (run.record and run.record.reason) or "",
    }
