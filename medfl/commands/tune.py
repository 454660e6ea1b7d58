"""`choose` takes the best point of a search, `tuning` shows what all searches of a grid found."""

from __future__ import annotations

import argparse
from pathlib import Path


def choose(options: argparse.Namespace) -> None:
    """Choose the values of one run among the points of its search."""
    from medfl.commands.options import grid_cell
    from medfl.errors import MedflError
    from medfl.tuning.choose import choose_point
    from medfl.tuning.search import tuned_on

    grid, cell = grid_cell(options)
    if grid.tune is None:
        raise MedflError(f"{options.grid} has no section `tune`, so there is nothing to choose.")
    content = choose_point(grid, tuned_on(grid, cell), options.results or grid.output_dir)
    values = ", ".join(f"{key} {value}" for key, value in content["values"].items())
    print(f"{cell}: point {content['chosen']} of {len(content['points'])}: {values}")


def choose_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl choose`."""
    from medfl.commands import options

    options.grid(parser, "holds tuning/")
    options.cell(parser)


def tuning(options: argparse.Namespace) -> None:
    """Write the table of all points, and the best-of-k curves."""
    from medfl.errors import MedflError
    from medfl.grid import read_grid
    from medfl.grid.shared import runs_of
    from medfl.pages.figures import save
    from medfl.report.plots.best_of_k import draw_best_of_k
    from medfl.results import paths
    from medfl.tuning.choose import chosen_path, read_chosen
    from medfl.tuning.curves import write_searches
    from medfl.tuning.search import tuned_on

    grid = read_grid(options.grid)
    if grid.tune is None:
        raise MedflError(f"{options.grid} has no section `tune`, so nothing was searched.")
    results = options.results or grid.output_dir
    cells = dict.fromkeys(tuned_on(grid, run) for run in runs_of(grid).values())
    searches = {cell: read_chosen(grid, cell, chosen_path(grid, cell, results)) for cell in cells}
    curves = write_searches(searches, results)
    metrics = {cell.dataset: str(found["metric"]) for cell, found in searches.items()}
    save(draw_best_of_k(curves, metrics), Path(results, paths.BEST_OF_K))
    print(f"{results}: {paths.TUNED}, {paths.BEST_OF_K}.csv, .svg and .png")


def tuning_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl tuning`."""
    from medfl.commands import options

    options.grid(parser, "holds tuning/")
