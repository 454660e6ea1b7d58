"""`status` says how far a grid is, from the folder of its results alone."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.grid import GridConfig

EVERY = 5.0  # seconds


def status(options: argparse.Namespace) -> None:
    """Say which runs are done, running, failed and waiting, and how long the rest takes."""
    from medfl.pipeline.board import DONE, FAILED, RUNNING, Board
    from medfl.pipeline.planned import planned_runs
    from medfl.pipeline.status import summary, table

    grid, results = _grid(options)
    board = Board(planned_runs(grid, results), results)
    said: list[str] = []
    while True:
        states = board.look()
        running = any(one.state == RUNNING for one in states)
        ended = not running and all(one.state in (DONE, FAILED) for one in states)
        idle = "" if running or ended else "; no run is at work"
        lines = [f"{results}: {summary(states)}{idle}", *table(states)]
        if options.watch and sys.stdout.isatty():
            rows = os.get_terminal_size().lines
            lines = [lines[0], *table([one for one in states if one.state != DONE])][: rows - 1]
            said = []
            print("\033[2J\033[H", end="")
        if lines != said:  # a file that the words go to has each once
            print("\n".join(lines), flush=True)
        said = lines
        if not options.watch or ended:
            return
        try:
            time.sleep(EVERY)
        except KeyboardInterrupt as stop:
            if getattr(stop, "number", signal.SIGINT) != signal.SIGINT:
                raise
            return  # so whoever watches ends it: nothing is interrupted by that


def _grid(options: argparse.Namespace) -> tuple[GridConfig, Path]:
    """The grid whose results lie in the folder: it says so itself, unless one is named."""
    from medfl.config import OUTPUT_DIR
    from medfl.datasets.described.fixed import GRID
    from medfl.files import read_json
    from medfl.grid import read_grid
    from medfl.pipeline.at_work import LOCK
    from medfl.pipeline.fixed import is_fixed
    from medfl.pipeline.launch import BENCHMARK

    if options.grid:
        grid = read_grid(options.grid)
        return grid, Path(options.results or grid.output_dir)
    results = Path(options.results or OUTPUT_DIR)
    noted = read_json(results / LOCK).get("grid")
    for file in (Path(noted) if isinstance(noted, str) and noted else None, results / BENCHMARK):
        if file is not None and file.is_file():
            if is_fixed(file):
                os.environ[GRID] = str(file)  # its datasets are described beside it
            return read_grid(file), results
    raise MedflError(f"{results} is no folder that a grid was started for: name it with --grid.")


def status_options(parser: argparse.ArgumentParser) -> None:
    """Options of `medfl status`."""
    from medfl.commands.words import file, folder

    parser.description = (
        f"{parser.description}\nA run is done where its record has the settings that the grid asks "
        "for;\nwhether an edit of the code makes it again, `snakemake -n` says."
    )
    words = "the folder of results; else results"
    parser.add_argument("results", type=folder, nargs="?", help=words)
    words = "a params file; else the one that was started last there"
    parser.add_argument("--grid", type=file, help=words)
    parser.add_argument(
        "--watch", action="store_true", help="again and again, until all runs have ended"
    )
