"""Times tables and report of 600 runs, and what a start takes beside 3,000 finished runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.made_up import write_grid, write_runs
from benchmarks.timing import ROOT, Result, child, environment
from medfl.config import DEFAULT_GRID, OUTPUT_DIR, SPLITS_DIR, WORK_ROOT
from medfl.files import read_yaml, write_yaml
from medfl.results import paths

DATASETS = ("phantom", "bloodmnist", "dermamnist", "pathmnist", "organamnist")
PARTITIONS = ("iid", "dirichlet-0.5")
MANY = (*PARTITIONS, "dirichlet-0.1", "pathological-2", "quantity-1.5")
AGGREGATE, REPORT, PAGE = 3.0, 15.0, 3.0  # seconds, seconds, 10⁶ bytes
START = 15.0  # seconds


def run(pairs: int) -> Iterator[Result]:
    """Measure each command by its wall time, on all cores: nothing else should be at work."""
    with tempfile.TemporaryDirectory() as name:
        grid = write_grid(Path(name), DATASETS, PARTITIONS, range(5))
        write_runs(grid)
        for command, limit in (("aggregate", AGGREGATE), ("report", REPORT)):
            words = [sys.executable, "-m", "medfl", command, "--grid", str(grid)]
            costs = [child(words, cwd=name, env=environment())[0] for _ in range(pairs)]
            note = f"{costs[0].cpu:.1f} s of processor"
            yield Result(f"{command} of 600 runs", [one.wall for one in costs], limit, "s", note)
        page = Path(name, "results", paths.REPORT).stat().st_size / 1e6
        yield Result("report of 600 runs: the page", [page], PAGE, "MB")
    with tempfile.TemporaryDirectory() as name:
        yield from _starts(Path(name) / "project", pairs)


def _starts(project: Path, pairs: int) -> Iterator[Result]:
    """Measure the planning of a grid in a copy of the project, where all of its runs lie."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    path = write_grid(project, ("phantom",), MANY, range(50))
    # Where dvc.yaml looks for what a grid makes. One figure: what is drawn is of no account here.
    places = {"output_dir": OUTPUT_DIR, "work_root": WORK_ROOT, "splits_dir": SPLITS_DIR}
    write_yaml(project / DEFAULT_GRID, read_yaml(path) | places | {"figures": ["clients"]})
    path.unlink()
    settings = environment() | {"PYTHONPATH": str(project)}
    python = [sys.executable, "-m"]
    for words in (["medfl", "prepare", "phantom"], ["benchmarks.made_up", DEFAULT_GRID]):
        child([*python, *words], cwd=project, env=settings)
    commands = {"snakemake -n": [*python, "snakemake", "-n", "--quiet", "all", "--cores", "1"]}
    if shutil.which("dvc"):
        for word in ("aggregate", "report"):  # DVC takes a stage that is complete
            child([*python, "medfl", word, "--grid", DEFAULT_GRID], cwd=project, env=settings)
        child(["dvc", "commit", "--force"], cwd=project, env=settings)
        commands["dvc status"] = ["dvc", "status"]
    for name, command in commands.items():
        costs = [child(command, cwd=project, env=settings)[0] for _ in range(pairs)]
        note = f"{costs[0].cpu:.1f} s of processor"
        yield Result(f"{name} beside 3,000 runs", [one.wall for one in costs], START, "s", note)
