"""One self-contained ``report.html``: it opens offline, prints, and asks nothing of the network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medfl.errors import MedflError
from medfl.files import read_yaml, write_text
from medfl.report import names
from medfl.report.collect import DIVERGED, MISSING, Run
from medfl.report.figures import Picture
from medfl.report.findings import (
    Finding,
    findings,
    interval,
    mean_and_sd,
    overall,
    paired_rows,
    rank_rows,
)
from medfl.report.results import Results
from medfl.report.tables import main_table, metric_table, metrics_with_values

TEMPLATES = Path(__file__).parent / "templates"
# Which hash of a run belongs to its data and split; the rest of the provenance is about the code.
_INPUT_HASHES = ("store_fingerprint", "split_sha256")
_PER_RUN = (*_INPUT_HASHES, "config_sha256", "started")


def write_report(
    results: Results,
    path: Path,
    *,
    figures: Sequence[Picture],
    splits_dir: Path | None,
    prepared_dir: Path | None,
    configuration: Mapping[str, Any],
) -> None:
    """Fill the template and write the page.

    Args:
        results: the runs.
        path: where the page goes.
        figures: the pictures to embed.
        splits_dir: folder of ``<dataset>/<partition>/seed<k>.png``; None leaves them out.
        prepared_dir: folder of ``<dataset>/dataset.yaml``; None leaves out what the data are.
        configuration: the grid as it was given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    datasets = [
        _dataset(results, dataset, figures, splits_dir, prepared_dir)
        for dataset in results.datasets
    ]
    page = environment.get_template("report.html.j2").render(
        results=results,
        datasets=datasets,
        ranking=_ranking(results),
        paired=_paired(results),
        arms=_arms(results),
        diverged=[_place(run) for run in results.having(DIVERGED)],
        missing=[_place(run) for run in results.having(MISSING)],
        provenance=_provenance(results),
        hashes=_hashes(results),
        configuration=yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True),
        has_configuration=bool(configuration),
        personal=any(
            results.role(dataset, arm) == names.PERSONAL
            for dataset in results.datasets
            for arm in results.arms
        ),
    )
    write_text(path, page)


def data_uri(path: Path) -> str:
    """A PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _dataset(
    results: Results,
    dataset: str,
    figures: Sequence[Picture],
    splits_dir: Path | None,
    prepared_dir: Path | None,
) -> dict[str, Any]:
    own = [picture for picture in figures if picture.dataset == dataset]
    by_kind: dict[str, list[Picture]] = {}
    for picture in own:
        by_kind.setdefault(picture.kind, []).append(picture)
    found = findings(results, dataset)
    whole = overall(results, dataset) if len(results.partitions) > 1 else None
    return {
        "name": dataset,
        "card": _card(prepared_dir, dataset),
        "findings": [_finding(finding) for finding in (*found, *([whole] if whole else []))],
        "main": main_table(results, dataset),
        "tables": [
            metric_table(results, dataset, metric) for metric in metrics_with_values(results)
        ],
        "pictures": by_kind,
        "splits": _split_pictures(results, dataset, splits_dir),
    }


def _card(prepared_dir: Path | None, dataset: str) -> dict[str, Any]:
    """What the data are, from the store; {} where the store is not there."""
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
        "partition": names.partition_title(finding.partition)
        if finding.partition
        else "Mean over partitions",
        "group": names.ROLE_TITLES[finding.role],
        "best": finding.best,
        "score": mean_and_sd(summary),
        "interval": interval(summary) or "–",
        "seeds": summary.n,
        "certainty": finding.certainty,
    }


def _split_pictures(
    results: Results, dataset: str, splits_dir: Path | None
) -> list[dict[str, Any]]:
    """The picture of the first seed of each partition, where the splits lie at hand."""
    if splits_dir is None:
        return []
    pictures = []
    for partition in results.partitions:
        for seed in results.seeds:
            path = splits_dir / dataset / partition / f"seed{seed}.png"
            if path.exists():
                title = names.partition_title(partition)
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


def _ranking(results: Results) -> dict[str, Any]:
    columns, rows = rank_rows(results)
    titles = [
        column
        if " / " not in column
        else f"{column.split(' / ')[0]}, {names.partition_title(column.split(' / ')[1])}"
        for column in columns
    ]
    return {"columns": columns, "titles": titles, "rows": rows}


def _paired(results: Results) -> list[dict[str, Any]]:
    rows = []
    for row in paired_rows(results):
        rows.append(
            row
            | {
                "partition": names.partition_title(row["partition"]),
                "difference": f"{100 * row['difference']:+.1f}",
                "p": "–" if row["p"] is None else f"{row['p']:.3f}",
                "p_holm": "–" if row["p_holm"] is None else f"{row['p_holm']:.3f}",
            }
        )
    return rows


def _arms(results: Results) -> list[dict[str, Any]]:
    """What each arm is, from the first of its records, and how much work it did."""
    rows = []
    for arm in results.arms:
        runs = [run for run in results.runs if run.arm == arm and run.record]
        if not runs or not runs[0].record:
            rows.append(
                {"arm": arm, "algorithm": "–", "settings": "", "evaluated": "", "statistics": ""}
            )
            continue
        record = runs[0].record
        rows.append(
            {
                "arm": arm,
                "algorithm": record.get("algorithm", "–"),
                "settings": _settings(runs[0]),
                "evaluated": {
                    "global": "the server's model",
                    "personal": "each client's own model, on its own test samples (†)",
                    "local": "each client's own model, on everyone's test samples",
                }.get(record.get("evaluated", ""), ""),
                "statistics": record.get("statistics") or "",
            }
        )
    return rows


def _settings(run: Run) -> str:
    """The hyper-parameters of a run's algorithm, as words."""
    path = run.folder / "config.yaml"
    if not path.exists():
        return ""
    content = read_yaml(path)
    learning = (content.get("federated_learning") or {}) if isinstance(content, dict) else {}
    given = learning.get("algorithm_params") or {}
    return ", ".join(f"{key} = {value}" for key, value in given.items())


def _place(run: Run) -> dict[str, Any]:
    return {
        "dataset": run.dataset,
        "partition": names.partition_title(run.partition),
        "arm": run.arm,
        "seed": run.seed,
        "rounds": (run.record or {}).get("rounds", ""),
        "reason": (run.record or {}).get("reason") or "",
    }


def _provenance(results: Results) -> list[tuple[str, list[tuple[str, int]]]]:
    """Key → its values with the number of runs that have each, for all that is about the code."""
    counts: dict[str, Counter[str]] = {}
    for run in results.runs:
        for key, value in ((run.record or {}).get("provenance") or {}).items():
            if key not in _PER_RUN:
                counts.setdefault(key, Counter())[str(value)] += 1
    return [(key.replace("_", " "), count.most_common()) for key, count in counts.items()]


def _hashes(results: Results) -> list[dict[str, Any]]:
    """The data and split of each dataset × partition × seed; two values would be two inputs."""
    rows = []
    for dataset in results.datasets:
        for partition in results.partitions:
            for seed in results.seeds:
                runs = [
                    run
                    for arm in results.arms
                    for run in results.at(dataset, partition, arm)
                    if run.seed == seed and run.record
                ]
                found = {
                    key: sorted(
                        {
                            str((run.record or {}).get("provenance", {}).get(key, "–"))
                            for run in runs
                        }
                    )
                    for key in _INPUT_HASHES
                }
                if runs:
                    rows.append({"dataset": dataset, "partition": partition, "seed": seed, **found})
    return rows
