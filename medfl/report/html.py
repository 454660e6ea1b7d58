"""Writes ``report.html``, one page that holds all it shows: it opens offline and prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import yaml
from markupsafe import escape

from medfl.errors import MedflError
from medfl.files import read_yaml, write_text
from medfl.pages.html import environment
from medfl.partition import partition_title
from medfl.report.answers import answers, answers_attacked
from medfl.report.claim_rows import best_against_others, finding_row, ranking_rows
from medfl.report.clients import worst_sizes
from medfl.report.figures import Picture
from medfl.report.findings import findings, findings_attacked
from medfl.report.grid_results import GridResults
from medfl.report.main_tables import cost_table, main_table, metric_table, metrics_with_values
from medfl.report.names import join_words, plural
from medfl.report.notes import MARKS
from medfl.report.origin import arm_rows, code_origin, count_edited_sources, input_hashes
from medfl.report.over_datasets import DatasetsTogether
from medfl.report.plots.base import GridFigure, Shown
from medfl.report.privacy import protects
from medfl.report.privacy_tables import privacy_tables
from medfl.report.questions import HOLDS, MEANINGS, TITLES, families_say
from medfl.report.robustness_tables import robustness_tables
from medfl.report.robustness_words import robustness_words
from medfl.report.searches import TuningSection
from medfl.report.unseen import unseen_table
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
    templates = environment(TEMPLATES)
    templates.filters["unbroken"] = _unbroken
    template = templates.get_template("report.html.j2")
    page = template.render(
        results=results,
        datasets=datasets,
        over=[(TITLES[one.question], one) for one in over],
        ranking=ranking_rows(results),
        paired=best_against_others(results),
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
        count=plural(len(results.families), "family", "families"),
        marks=MARKS,
        names=results.datasets,
        size=size_of(results),
        plural=plural,
        margins=join_words(sorted({f"{100 * results.margin(d):g}" for d in results.datasets})),
        drawn=any(figure["drawn"] for one in datasets for figure in one["figures"]),
        meanings=[
            MEANINGS[question]
            for question in (OWN, EVERYONE)
            if any(len(results.questions(dataset)) > 1 for dataset in results.datasets)
        ],
    )
    for picture in figures:
        if picture.path and f'data-figure="{escape(picture.path.stem)}"' not in page:
            raise MedflError(f"the report has no place for {picture.path}.")
    write_text(path, page)


def size_of(results: GridResults) -> str:
    """How large a grid is: ``7 arms × 1 partition × 6 seeds``."""
    counts = {"arm": results.arms, "partition": results.partitions, "seed": results.seeds}
    return " × ".join(plural(len(found), word) for word, found in counts.items())


def _unbroken(text: str) -> str:
    """A cell's text, of which no line begins with a sign."""
    return re.sub(r" ([±†≈=]) ?", lambda found: found.group().replace(" ", "\u00a0"), text)


def _dataset(
    results: GridResults,
    dataset: str,
    figures: Sequence[Picture],
    splits: Mapping[tuple[str, str, int], Path],
    prepared_dir: Path | None,
) -> dict[str, Any]:
    main = main_table(results, dataset)
    drawn = [one for one in figures if one.subject.dataset == dataset]
    tables = [metric_table(results, dataset, metric) for metric in metrics_with_values(results)]
    return {
        "name": dataset,
        "card": dataset_card(prepared_dir, dataset),
        "answers": [
            (partition, list(said))
            for partition, said in groupby(answers(results, dataset), lambda one: one.partition)
        ],
        "cost": cost_table(results, dataset).unattacked(),
        "cost_says": _cost_says(results, dataset),
        "under_attack": [
            (partition, list(said))
            for partition, said in groupby(
                answers_attacked(results, dataset), lambda one: one.partition
            )
        ],
        "findings": [
            finding_row(found)
            for found in (*findings(results, dataset), *findings_attacked(results, dataset))
        ],
        "primary": judged(results.primary(dataset).metric).title,
        "unseen": unseen_table(results, dataset),
        "main": main,
        # What stands below the main table is not said again below each of these.
        "tables": [(one, [note for note in one.notes if note not in main.notes]) for one in tables],
        "privacy": privacy_tables(results, dataset),
        "attacked": [
            (partition_title(partition), said)
            for partition in results.partitions_of(dataset)
            if (said := robustness_words(results, dataset, partition))
        ],
        "robustness": robustness_tables(results, dataset),
        "first": _figures([one for one in drawn if one.figure.shown == "first"]),
        "figures": _figures([one for one in drawn if one.figure.shown != "first"]),
        "splits": _split_pictures(results, dataset, splits),
    }


def _cost_says(results: GridResults, dataset: str) -> str:
    """What the cells of the table of cost are."""
    partitions = len(results.partitions_of(dataset))
    over = f" of the means over {partitions} partitions" if partitions > 1 else ""
    sizes = worst_sizes(results, dataset)
    worst = f" Worst client: {sizes}." if sizes else ""
    attacked = " Those of attacked arms: tables/cost.csv." if results.attacks else ""
    return (
        f"Mean ± standard deviation over seeds{over}; MB up and down, of all clients, and seconds, "
        f"of a whole run.{worst}{attacked}"
    )


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
    made = []
    for figure, found in sections.items():
        drawn = [one for one in found if one.shown]
        made.append(
            {
                "title": figure.title,
                "folded": figure.shown == "folded",
                "pictures": drawn,
                "drawn": any(one.shown and one.shown.curves for one in drawn),  # by the script
                "not_drawn": _not_drawn(figure, found),
            }
        )
    return made


def _not_drawn(figure: GridFigure, pictures: Sequence[Picture]) -> str:
    """A sentence on the pictures of a figure that the runs do not suffice for; empty for none."""
    missing = [one.subject.title for one in pictures if one.shown is None]
    if not missing:
        return ""
    some = f" ({'; '.join(missing)})" if len(missing) < len(pictures) else ""
    return f"{figure.title}{some}: not drawn, it needs {figure.needs}."


def dataset_card(prepared_dir: Path | None, dataset: str) -> dict[str, Any]:
    """The content of ``dataset.yaml``, which describes the data; {} where the store is missing."""
    path = prepared_dir / dataset / "dataset.yaml" if prepared_dir else None
    if path is None or not path.exists():
        return {}
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise MedflError(f"{path} does not describe a dataset: prepare it again.")
    return content


def _split_pictures(
    results: GridResults, dataset: str, splits: Mapping[tuple[str, str, int], Path]
) -> list[dict[str, Any]]:
    """The picture of each partition's first seed whose split lies here."""
    pictures = []
    for partition in results.partitions_of(dataset):
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


def _place(run: Run) -> dict[str, Any]:
    return {
        "dataset": run.dataset,
        "partition": partition_title(run.partition),
        "arm": run.arm,
        "seed": run.seed,
        "rounds": run.record.rounds if run.record else "",
        "reason": (run.record and run.record.reason) or "",
    }
