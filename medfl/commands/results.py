"""`aggregate`, `report` and `publish` make tables, figures and pages from a grid's runs."""

from __future__ import annotations

import argparse
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from medfl.grid import Cell, GridConfig
    from medfl.report.grid_results import GridResults


def aggregate(options: argparse.Namespace) -> None:
    """Gather a grid's runs into tables."""
    gc.disable()  # a tenth of the time went into looking for what could be let go: there is little

    from medfl.grid import read_grid

    grid = read_grid(options.grid)
    _splits(grid)
    results = options.results or grid.output_dir
    with _runs(grid, results) as (trained, about):
        from medfl.report import steps

        steps.aggregate(trained, results, partial=options.partial, **about)
    print(f"{results}: summary.csv, {'' if options.partial else 'metrics.json, '}tables/")


def aggregate_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl aggregate`."""
    from medfl.commands import options

    options.grid(parser, "holds runs/")
    words = "show missing runs as missing, and write no metrics.json"
    parser.add_argument("--partial", action="store_true", help=words)


def report(options: argparse.Namespace) -> None:
    """Draw a grid's figures and write report.html."""
    gc.disable()  # a seventh of the time; what is large is let go after each picture

    from medfl.grid import read_grid

    grid = read_grid(options.grid)
    folder = options.results or grid.output_dir
    with _runs(grid, folder) as (trained, about):
        from medfl.report import steps

        if options.partial:
            steps.aggregate(trained, folder, partial=True, **about)
        endings = [".pdf"] if options.pdf else []
        results = _build(grid, trained, folder, about, _cores(options.cores), endings)
    print(steps.headline(results, folder))


def report_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl report`."""
    from medfl.commands import options
    from medfl.commands.words import processors

    options.grid(parser, "holds runs/")
    words = "make the tables first, as `medfl aggregate --partial` does"
    parser.add_argument("--partial", action="store_true", help=words)
    words = "processes that draw; all: as many as there are processors that its job may use"
    parser.add_argument("--cores", type=processors, default="all", help=words)
    words = "write each figure as PDF, too, for a paper"
    parser.add_argument("--pdf", action="store_true", help=words)


def publish(options: argparse.Namespace) -> None:
    """Write a folder with the results of a whole grid, which others can cite."""
    from pathlib import Path

    from medfl.config import prepared_dir
    from medfl.grid import read_grid
    from medfl.report.published import check_target
    from medfl.report.published import publish as write_folder

    check_target(Path(options.to))  # before the tables and the report, which take minutes
    grid = read_grid(options.grid)
    folder = options.results or grid.output_dir
    with _runs(grid, folder) as (trained, about):
        from medfl.report import steps

        results = steps.aggregate(trained, folder, **about)
        _build(grid, trained, folder, about, _cores("all"))
    page = write_folder(
        results,
        folder,
        options.to,
        title=options.title or f"Results on {', '.join(results.datasets)}",
        grid_file=Path(options.grid).as_posix(),
        configuration=_configuration(grid),
        prepared_dir=prepared_dir(grid.work_root),
    )
    print(f"{page.parent}: {page.name}, report.html and tables")


def publish_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl publish`."""
    from medfl.commands import options
    from medfl.commands.words import new_folder

    options.grid(parser, "holds runs/")
    parser.add_argument(
        "--to",
        type=new_folder,
        required=True,
        help="the folder to write; one of before is replaced",
    )
    parser.add_argument("--title", help="of its page; else it names the datasets")


def _build(
    grid: GridConfig,
    trained: dict[Cell, Cell],
    folder: str,
    about: dict[str, Any],
    cores: int,
    endings: Sequence[str] = (),
) -> GridResults:
    """Draw the figures and write the page of a grid whose results lie in ``folder``."""
    from medfl.config import prepared_dir
    from medfl.report import steps

    return steps.build_report(
        trained,
        folder,
        splits=_splits(grid),
        prepared_dir=prepared_dir(grid.work_root),
        configuration=_configuration(grid),
        figures=grid.figures,
        cores=cores,
        endings=endings,
        **about,
    )


@contextmanager
def _runs(grid: GridConfig, results: str) -> Iterator[tuple[dict[Cell, Cell], dict[str, Any]]]:
    """The run that stands in each cell, and what tables and page are told of the grid alike.

    While its block imports and reads their records, their predictions are read beside it.
    """
    from medfl.grid.shared import runs_of
    from medfl.report.left_out import reading_ahead

    trained = runs_of(grid)
    _hold_back(grid, {run for both in trained.items() for run in both}, results)
    with reading_ahead(trained.values(), results) as left_out:
        wanted = _wanted(grid, trained, results)
        about = {"wanted": wanted, "margins": grid.margins, "crossed": grid.crossed}
        yield trained, about | {"left_out": left_out}


def _wanted(
    grid: GridConfig, trained: dict[Cell, Cell], results: str
) -> dict[Cell, dict[str, str]]:
    """What the record of every run that may stand in a cell has to say: its own, and the shared."""
    from medfl.datasets.place import store_path
    from medfl.federated.stale import inputs_now
    from medfl.tuning.choose import wanted_of

    runs = {run for both in trained.items() for run in both}
    inputs: dict[tuple[str, str, int], dict[str, str]] = {}
    for run in runs:
        key = (run.dataset, run.partition, run.seed)
        if key not in inputs:
            store = store_path(run.dataset, grid.work_root)
            inputs[key] = inputs_now(grid.split_path(run), store)
    return {
        run: {
            **wanted_of(grid, run, results),
            **inputs[run.dataset, run.partition, run.seed],
        }
        for run in runs
    }


def _hold_back(grid: GridConfig, runs: Iterable[Cell], results: str) -> None:
    """Take small cells out of finished runs from before they were asked to be left out."""
    from medfl.datasets.place import store_path
    from medfl.federated.hold_back import hold_back_in
    from medfl.results import paths

    for run in runs:
        least = grid.minimum_cell(run.dataset)
        points = paths.tuning_folder(results, run).glob(paths.POINT.format(point="*"))
        for folder in (paths.run_folder(results, run), *points):
            if least > 1 and (folder / paths.RECORD).exists():
                store = store_path(run.dataset, grid.work_root)
                hold_back_in(folder, grid.run_config(run), store, grid.split_path(run), least)


def _splits(grid: GridConfig) -> dict[tuple[str, str, int], Path]:
    """The file of each split; which of them a person gave, is said."""
    from medfl.commands.options import tell
    from medfl.partition.given import announce

    chosen = {(c.dataset, c.partition, c.seed): grid.split(c) for c in grid.cells()}
    tell(announce(chosen.values()))
    return {key: one.path for key, one in chosen.items()}


def _cores(asked: str) -> int:
    from medfl.files.parallel import cpu_count

    return cpu_count() if asked == "all" else min(int(asked), cpu_count())


def _configuration(grid: GridConfig) -> dict[str, object]:
    """The grid as the page shows it: where data lie on this machine is nobody else's business."""
    return grid.model_dump(mode="json", exclude={"data_root", "work_root"})
