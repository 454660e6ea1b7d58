"""A folder of results that others can cite: a page, the report, tables, and how it was all made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medfl.errors import MedflError
from medfl.files import cannot_write, sha256_file, write_csv, write_text
from medfl.files.regular import read_text
from medfl.partition import partition_title
from medfl.report.answers import Answer, answers, answers_attacked
from medfl.report.grid_results import GridResults
from medfl.report.html import dataset_card, size_of
from medfl.report.main_tables import cost_table, main_table
from medfl.report.markup import escape_markdown, markdown
from medfl.report.names import join_words, plural
from medfl.report.origin import code_origin, input_hashes
from medfl.report.questions import HOLDS, families_say
from medfl.report.robustness_tables import robustness_tables
from medfl.report.robustness_words import robustness_words
from medfl.report.searches import tuning_rows
from medfl.report.tables import ArmTable
from medfl.report.unseen import unseen_table
from medfl.results import paths
from medfl.results.runs import MISSING
from medfl.results.schema import DIVERGED

TEMPLATES = Path(__file__).parent / "templates"
PAGE, GRID, INPUTS = "README.md", "grid.yaml", "inputs.csv"
CODE = "code sha"
MARK = "<!-- written by medfl publish: changes are lost -->"
COPIED = (
    paths.REPORT,
    paths.SUMMARY,
    f"{paths.COMPARISON}.csv",
    f"{paths.TABLES}/cost.csv",
    f"{paths.TABLES}/paired.csv",
    f"{paths.TABLES}/ranking.csv",
    f"{paths.TABLES}/robustness.csv",
    f"{paths.TABLES}/unseen.csv",
    paths.TABLE_OF_CLIENTS,
    paths.TUNED,
)
"""What is taken from the folder of the results, where it is there; all into one folder."""


def publish(
    results: GridResults,
    results_dir: str | Path,
    target: str | Path,
    *,
    title: str,
    grid_file: str,
    configuration: Mapping[str, Any],
    prepared_dir: Path,
) -> Path:
    """Write the folder; one that was published before is replaced as a whole.

    Args:
        results: the runs of a whole grid, whose tables and report have been written.
        results_dir: where these lie.
        target: the folder to write.
        title: of the page.
        grid_file: the params file as it was named, for the command that makes it all again.
        configuration: the grid.
        prepared_dir: the folder of ``<dataset>/dataset.yaml``.

    Returns:
        The page.

    Raises:
        MedflError: runs are missing, or something else lies at ``target``.
    """
    if missing := results.having(MISSING):
        raise MedflError(
            f"{len(missing)} of {len(results.trained)} runs are missing, so nothing is published: "
            f"finish the grid (snakemake --cores all --configfile {grid_file})."
        )
    source, target = Path(results_dir), Path(target)
    check_target(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise cannot_write(target, error) or error from error
    with beside as scratch:
        folder = Path(scratch, "new")
        folder.mkdir()
        for name in COPIED:
            if (source / name).exists():
                shutil.copyfile(source / name, folder / Path(name).name)
        write_text(folder / GRID, yaml.safe_dump(dict(configuration), sort_keys=False))
        hashes = [
            {key: " ".join(v) if isinstance(v, list) else v for key, v in row.items()}
            for row in input_hashes(results)
        ]
        write_csv(folder / INPUTS, list(hashes[0]), hashes)
        page = _page(results, folder, target, title, grid_file, prepared_dir)
        write_text(folder / PAGE, page)
        folder.chmod(0o755)  # temporary folders are nobody else's
        if target.exists():
            target.rename(Path(scratch, "old"))
        folder.rename(target)
    return target / PAGE


def check_target(target: Path) -> None:
    """Refuse a folder that holds something else than what was published (``MedflError``)."""
    if target.exists() and not _published(target):
        raise MedflError(
            f"{target} is there already and was not written by `medfl publish`: name another "
            "folder."
        )


def _published(folder: Path) -> bool:
    page = folder / PAGE
    return page.is_file() and MARK in read_text(page, errors="replace")


def _page(
    results: GridResults,
    folder: Path,
    target: Path,
    title: str,
    grid_file: str,
    prepared_dir: Path,
) -> str:
    files = sorted(path.name for path in folder.iterdir())
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    made.filters["md"] = lambda value: escape_markdown(str(value))
    return made.get_template("published.md.j2").render(
        mark=MARK,
        title=title,
        results=results,
        size=size_of(results),
        diverged=results.having(DIVERGED),
        answers={dataset: _by_partition(answers(results, dataset)) for dataset in results.datasets},
        under_attack=[
            (dataset, partition, said)
            for dataset in results.datasets
            for partition, said in _by_partition(answers_attacked(results, dataset)).items()
        ],
        attacked=[
            (dataset, partition_title(partition), said)
            for dataset in results.datasets
            for partition in results.partitions_of(dataset)
            if (said := robustness_words(results, dataset, partition))
        ],
        robustness=_text(
            [(d, table) for d in results.datasets for table in robustness_tables(results, d)]
        ),
        unseen=_text([(d, one) for d in results.datasets if (one := unseen_table(results, d))]),
        comparison=_tables(results, main_table),
        cost=_tables(results, cost_table),
        tuning=tuning_rows(results),
        families=families_say(results),
        holds=HOLDS,
        grid_file=grid_file,
        target=target,
        hours=sum(run.record.timing.seconds or 0 for run in results.trained if run.record) / 3600,
        origin=[row for row in code_origin(results) if row[0] != CODE],  # long, and in the report
        cards={dataset: dataset_card(prepared_dir, dataset) for dataset in results.datasets},
        files={name: sha256_file(folder / name) for name in files},
        partitions=join_words([partition_title(word) for word in results.partitions]),
        plural=plural,
    )


def _by_partition(said: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Partition → its answers."""
    found: dict[str, list[Answer]] = {}
    for one in said:
        found.setdefault(one.partition, []).append(one)
    return found


def _tables(results: GridResults, make: Any) -> str:
    """Tables of all datasets."""
    return _text([(dataset, make(results, dataset)) for dataset in results.datasets])


def _text(tables: Sequence[tuple[str, ArmTable]]) -> str:
    """Tables with headings one level lower."""
    return markdown(tables).replace("## ", "### ").rstrip()
