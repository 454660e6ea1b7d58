"""`aggregate` and `report` make tables, figures and the page from a grid's runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medfl.grid import Cell, GridConfig


def aggregate(options: argparse.Namespace) -> None:
    """Gather a grid's runs into tables."""
    from medfl.grid import read_grid
    from medfl.report import steps

    grid = read_grid(options.grid)
    results = options.results or grid.output_dir
    steps.aggregate(grid.cells(), results, partial=options.partial, settings=_settings(grid))
    print(f"{results}: summary.csv, metrics.json, tables/")


def aggregate_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl aggregate`."""
    grid_options(parser)
    parser.add_argument("--partial", action="store_true", help="show missing runs as missing")


def report(options: argparse.Namespace) -> None:
    """Draw a grid's figures and write report.html."""
    from medfl.grid import read_grid
    from medfl.report.steps import build_report, headline

    grid = read_grid(options.grid)
    folder = options.results or grid.output_dir
    results = build_report(
        grid.cells(),
        folder,
        splits={(c.dataset, c.partition, c.seed): grid.split_path(c) for c in grid.cells()},
        prepared_dir=Path(grid.work_root, "prepared"),
        configuration=_configuration(grid),
        settings=_settings(grid),
        figures=grid.figures,
    )
    print(headline(results, folder))


def grid_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl report`, which `medfl aggregate` has too."""
    parser.add_argument("--grid", default="params/default.yaml", help="the params file")
    parser.add_argument("--results", help="holds runs/; else the grid's output_dir")


def _settings(grid: GridConfig) -> dict[Cell, str]:
    from medfl.federated.fingerprint import fingerprint

    return {cell: fingerprint(grid.run_config(cell)) for cell in grid.cells()}


def _configuration(grid: GridConfig) -> dict[str, object]:
    return grid.model_dump(mode="json")
