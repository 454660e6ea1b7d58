"""The names of the files of runs and grids, and where they lie.

A run's files lie in ``<results>/runs/<dataset>/<partition>/<arm>/seed<k>/``; the files of the whole
grid lie in ``<results>/`` itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

KEYS = ("dataset", "partition", "arm", "seed")  # what names one run of a grid
RUNS = "runs"
RUN = "{dataset}/{partition}/{arm}/seed{seed}"
"""A run's folder under ``runs/``: a format string, and a pattern of Snakemake's."""

# These lie in the folder of a run.
CONFIG = "config.yaml"  # the resolved configuration
ROUNDS = "rounds.csv"  # one row per round
CLIENTS = "clients.csv"  # one row per client, fold and evaluated round
RECORD = "metrics.json"  # all results; it is written last, so a run that has it is finished
PREDICTIONS = "predictions.npz"  # what the evaluated models said, where the run keeps it
MODEL = "model.safetensors"  # the server's weights after the last round
LOG = "run.log"
CHECKPOINT = "checkpoint.pt"  # from which a run that is not finished goes on

TUNING = "tuning"
POINT = "point{point}"
"""The folder of one point of a search, under ``tuning/<run>/``; it has the files of a run."""
CHOSEN = "chosen.json"  # beside the points: what was searched, and what was chosen

# These lie in the folder of the results.
SUMMARY = "summary.csv"  # one row per run of the grid
METRICS = "metrics.json"  # the main numbers, for `dvc metrics show`
TABLES = "tables"
COMPARISON = f"{TABLES}/comparison"  # .csv, .md and .tex
CONVERGENCE = f"{TABLES}/convergence.csv"  # the mean curves, for `dvc plots show`
TABLE_OF_CLIENTS = f"{TABLES}/clients.csv"  # one row per client of each finished run
FIGURES = "figures"
REPORT = "report.html"
TUNED = f"{TUNING}/tuning.csv"  # one row per point of each search
BEST_OF_K = f"{TUNING}/best-of-k"  # .csv, .svg and .png
LOGS, BENCHMARKS = "logs", "benchmarks"  # what Snakemake's jobs said, and what they cost


class CellLike(Protocol):
    """What names one run of a grid."""

    @property
    def dataset(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> str: ...  # noqa: D102
    @property
    def arm(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


def run_folder(results: str | os.PathLike[str], cell: CellLike) -> Path:
    """The folder of one run of a grid whose results lie in ``results``."""
    place = RUN.format(dataset=cell.dataset, partition=cell.partition, arm=cell.arm, seed=cell.seed)
    return Path(results, RUNS, place)


def tuning_folder(results: str | os.PathLike[str], cell: CellLike) -> Path:
    """The folder of the search for one run's values."""
    place = RUN.format(dataset=cell.dataset, partition=cell.partition, arm=cell.arm, seed=cell.seed)
    return Path(results, TUNING, place)


def finished_runs(results: str | os.PathLike[str]) -> list[Path]:
    """The folders of all runs under ``results`` that have a record, sorted by path."""
    pattern = RUN.format(dataset="*", partition="*", arm="*", seed="*")
    return sorted(path.parent for path in Path(results, RUNS).glob(f"{pattern}/{RECORD}"))


def run_files(predictions: bool) -> tuple[str, ...]:
    """The files of a finished run without its log; ``predictions``: whether it keeps them."""
    kept = (PREDICTIONS,) if predictions else ()
    return (CONFIG, ROUNDS, CLIENTS, RECORD, MODEL, *kept)
