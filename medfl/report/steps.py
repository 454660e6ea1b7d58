"""The two steps after training: ``aggregate`` makes the tables, ``build_report`` the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medfl.config import CrossedArm
from medfl.files.beside import done_beside
from medfl.partition import partition_title
from medfl.report.attacked import PEACE
from medfl.report.claim_files import write_findings
from medfl.report.client_tables import write_client_tables
from medfl.report.clients import write_clients
from medfl.report.dvc import CurveRows, rows_of_curves, write_convergence, write_metrics_json
from medfl.report.findings import Finding, findings, findings_attacked
from medfl.report.grid_results import GridResults
from medfl.report.left_out import WithoutEach
from medfl.report.markup import write_tables
from medfl.report.names import plural
from medfl.report.over_datasets import together, write_over_datasets
from medfl.report.privacy_tables import write_privacy
from medfl.report.questions import HOLDS, TITLES, bare, families_say
from medfl.report.robustness_tables import write_robustness
from medfl.report.seeds_needed import seeds_needed
from medfl.report.shared_clients import with_clients
from medfl.report.spreadsheet import write_spreadsheet
from medfl.report.unseen import write_unseen
from medfl.results import paths
from medfl.results.columns import SUMMARY
from medfl.results.paths import CellLike
from medfl.results.runs import MISSING, read_grid_runs
from medfl.results.schema import DIVERGED


def aggregate(
    cells: Iterable[CellLike],
    results_dir: str | Path,
    *,
    partial: bool = False,
    wanted: Mapping[Any, Mapping[str, str]] | None = None,
    margins: Mapping[str, float] | None = None,
    crossed: Mapping[str, CrossedArm] | None = None,
    left_out: WithoutEach | None = None,
) -> GridResults:
    """Read the runs of the grid and write ``summary.csv``, ``metrics.json``, tables and curves.

    With ``partial`` there is no ``metrics.json``, and one from before is deleted: it stands for a
    whole grid, and Snakemake makes the tables anew where it is missing.

    Args:
        cells: the expected runs, in the order in which tables show them; with a mapping, the run
            that stands in each.
        results_dir: the folder that holds ``runs/``; the results are written beside it.
        partial: accept missing runs and show them as missing.
        wanted: as in ``read_grid_runs``; a run of other settings or data counts as missing.
        margins: dataset → within which difference arms are practically equal.
        crossed: the arms that were crossed with attacks and rules, as in ``GridResults``.
        left_out: as in ``GridResults``.

    Raises:
        MedflError: for missing runs (unless ``partial``), for records and predictions that cannot
            be read, and for arms that were judged on different patients. Nothing is written then.
    """
    folder = Path(results_dir)
    runs = read_grid_runs(cells, folder, partial=partial, wanted=wanted)
    results = GridResults(with_clients(runs), margins, crossed, left_out)
    # Curves need nothing that comparisons and tables find out.
    with done_beside(
        lambda: rows_of_curves(results), lambda rows: _write_by_run(results, rows, folder, partial)
    ) as allow_to_write:
        results.compare_all()
        allow_to_write()
        write_tables(results, folder / paths.TABLES)
        write_privacy(results, folder / paths.TABLES)
        write_robustness(results, folder / paths.TABLES)
        write_unseen(results, folder / paths.TABLES)
        write_findings(results, folder / paths.TABLES)
        write_over_datasets(results, folder / paths.TABLES / "datasets.csv")
    return results


def _write_summary(results: GridResults, path: Path) -> None:
    """Write a row for each run."""
    columns = [column for column in results.columns if SUMMARY in column.files]
    rows = (run.row(columns) for run in results.runs)
    write_spreadsheet(path, [column.name for column in columns], rows)


def _write_by_run(results: GridResults, curves: CurveRows, folder: Path, partial: bool) -> None:
    """Write what holds no comparison."""
    _write_summary(results, folder / paths.SUMMARY)
    if partial:
        (folder / paths.METRICS).unlink(missing_ok=True)
    else:
        write_metrics_json(results, folder / paths.METRICS)
    write_convergence(curves, folder / paths.CONVERGENCE)
    write_clients(results, folder / paths.TABLE_OF_CLIENTS)
    write_client_tables(results, (folder / paths.TABLE_OF_CLIENTS).with_suffix(".tex"))


def build_report(
    cells: Iterable[CellLike],
    results_dir: str | Path,
    *,
    splits: Mapping[tuple[str, str, int], Path] | None = None,
    prepared_dir: str | Path | None = None,
    configuration: Mapping[str, Any] | None = None,
    wanted: Mapping[Any, Mapping[str, str]] | None = None,
    figures: Sequence[str] | None = None,
    cores: int = 1,
    margins: Mapping[str, float] | None = None,
    crossed: Mapping[str, CrossedArm] | None = None,
    left_out: WithoutEach | None = None,
    endings: Sequence[str] = (),
) -> GridResults:
    """Draw ``figures/`` and write ``report.html``; missing runs are shown as missing.

    Args:
        cells: the expected runs; with a mapping, the run that stands in each.
        results_dir: the folder that holds ``runs/``.
        splits: the split file of each (dataset, partition, seed), whose picture lies beside it.
        prepared_dir: the folder of ``<dataset>/dataset.yaml``, from which data are described.
        configuration: the grid, which the page shows as it is.
        wanted: as in ``read_grid_runs``; a run of other settings or data counts as missing.
        figures: the names of the figures to draw; None for all that are built in.
        cores: how many processes draw them.
        margins: dataset → within which difference arms are practically equal.
        crossed: the arms that were crossed with attacks and rules, as in ``GridResults``.
        left_out: as in ``GridResults``.
        endings: in which forms beside PNG and SVG: ``.pdf``.

    Raises:
        MedflError: if not one run is there, or as ``aggregate``.
    """
    from medfl.report.figures import draw_figures
    from medfl.report.html import write_report
    from medfl.report.over_datasets import draw_over_datasets
    from medfl.report.searches import tuning_section

    folder = Path(results_dir)
    runs = read_grid_runs(cells, folder, partial=True, wanted=wanted)
    results = GridResults(with_clients(runs), margins, crossed, left_out)
    results.compare_all()
    pictures = draw_figures(results, folder / paths.FIGURES, figures, cores, endings)
    write_report(
        results,
        folder / paths.REPORT,
        figures=pictures,
        over=draw_over_datasets(results, folder / paths.FIGURES),
        tuning=tuning_section(results, folder / paths.FIGURES, endings),
        splits=splits or {},
        prepared_dir=Path(prepared_dir) if prepared_dir else None,
        configuration=configuration or {},
    )
    return results


def _needed(results: GridResults, found: Finding) -> str:
    """What would tell the best arm from others, where the last words cannot."""
    others, compared = found.ranking.order[1:], found.comparison
    if compared is None or all(compared.told_apart(found.ranking.best, one) for one in others):
        return ""
    said = seeds_needed(results, found)
    return f" {said}" if said else ""


def headline(results: GridResults, results_dir: str | Path) -> str:
    """The last words of a finished grid: which arms were best, and where the results lie."""
    folder = Path(results_dir)
    lines = []
    for dataset in results.datasets:
        for found in (*findings(results, dataset), *findings_attacked(results, dataset)):
            place = partition_title(found.partition) if found.partition else "mean over partitions"
            place += f", under {found.attacked.words}" if found.attacked != PEACE else ""
            lines.append(
                f"{dataset}, {place}{found.about}: {found.best} {found.score}: {found.certainty}."
                + _needed(results, found)
            )
    counts = [
        f"{plural(len(runs), 'run')} {status}"
        for status in (DIVERGED, MISSING)
        if (runs := results.having(status))
    ]
    if counts:
        lines.append(f"Of {len(results.trained)} runs, {' and '.join(counts)}.")
    if results.refused:
        updates = sum(run.record.refused_updates for run in results.refused if run.record)
        lines.append(
            f"Not finite and left out: {plural(updates, 'update')} of clients, in "
            f"{plural(len(results.refused), 'run')} (`refused` in summary.csv)."
        )
    if any(" †" in line for line in lines):
        lines.append("† each client's own model: docs/results.md says on whose test samples.")
    lines += [f"All data sets, {TITLES[one.question]}: {one.words}" for one in together(results)]
    lines += [families_say(results), HOLDS]
    places = [
        ("Table ", folder / f"{paths.COMPARISON}.md"),
        ("Plots ", folder / paths.FIGURES),
        ("Report", folder / paths.REPORT),
    ]
    lines += [f"{name}  {path}" for name, path in places if path.exists()]
    metrics = {bare(results.primary(dataset)): None for dataset in results.datasets}
    title = f"Best algorithm on test samples, by {' or '.join(metrics)}:"
    return "\n".join([title, *(f"  {line}" for line in lines)])
