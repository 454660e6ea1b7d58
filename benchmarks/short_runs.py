"""How long a grid takes beside the seconds that its runs train: 100 short runs, and the demo.

A grid takes at least the sum of its runs' training seconds ÷ cores. Beside others a run may train
for longer than by itself: a note says how much, by a few runs that are made again, one at a time.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.federations import random_store
from benchmarks.timing import ROOT, Result, child, environment
from medfl.config import DEFAULT_GRID
from medfl.files import read_json, read_yaml, write_yaml
from medfl.files.parallel import cpu_count
from medfl.results import paths
from medfl.warm import OFF, VARIABLE

SAMPLES, CLIENTS = 2000, 5
STEPS = 60  # of each client in a round: a run trains for about two seconds
TARGET = 1.15
AGAIN = 10  # every so many runs one is made again by itself


def write_grid(folder: Path) -> Path:
    """Write a grid of 100 runs on random images: 2 partitions × 5 arms × 10 seeds."""
    random_store(folder / "data" / "prepared" / "phantom", SAMPLES)
    path = folder / "grid.yaml"
    content = {
        "arms_file": str(ROOT / "params" / "algorithms.yaml"),
        "datasets": ["phantom"],
        "partitions": ["iid", "dirichlet-0.5"],
        "arms": ["local", "fedavg", "fedprox", "scaffold", "fedbn"],
        "seeds": list(range(10)),
        "num_clients": CLIENTS,
        "run": {
            "federated_learning": {"rounds": 3, "local_steps": STEPS},
            "training": {"batch_size": 16, "device": "cpu"},
        },
    }
    write_yaml(path, content)
    return path


def snakemake(folder: Path, grid: Path, *targets: str, warm: bool = True) -> float:
    """The seconds that a grid takes in an empty folder, Snakemake's own included."""
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cpu_count())]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(grid)]
    command += ["--quiet", "rules", "reason", "host"]
    changes = {} if warm else {VARIABLE: OFF}
    return child(command, cwd=folder, env=environment() | changes)[0].wall


def trained(folder: Path) -> dict[Path, float]:
    """Run folder → the seconds that its run trained."""
    records = sorted((folder / "results" / paths.RUNS).rglob(paths.RECORD))
    return {path.parent: read_json(path)["timing"]["seconds"] for path in records}


def alone(folder: Path, seconds: dict[Path, float]) -> float:
    """How much longer runs train side by side than one at a time, on one core."""
    some = list(seconds)[::AGAIN]
    core = str(min(os.sched_getaffinity(0)))
    each = []
    for number, one in enumerate(some):
        again = folder / "alone" / str(number)
        words = ["run", "--config", str(one / paths.CONFIG), "--output-dir", str(again)]
        command = ["taskset", "--cpu-list", core, sys.executable, "-m", "medfl", *words]
        child(command, cwd=folder, env=environment())
        each.append(read_json(again / paths.RECORD)["timing"]["seconds"])
    return sum(seconds[one] for one in some) / sum(each)


def compared(name: str, folder: Path, wall: float, target: float | None) -> Result:
    """A grid's seconds ÷ (the sum of its runs' training seconds ÷ cores)."""
    seconds = trained(folder)
    least = sum(seconds.values()) / cpu_count()
    note = f"{wall:.1f} s / {least:.1f} s; {len(seconds)} runs on {cpu_count()} cores"
    if target is not None:
        note += f"; side by side they train {alone(folder, seconds):.2f} × as long as alone"
    return Result(name, [wall / least], target, note=note)


def run(pairs: int) -> Iterator[Result]:
    """Measure ``pairs`` times, some minutes each; last what is for information."""
    for _ in range(pairs):
        yield short(warm=True)
        with tempfile.TemporaryDirectory() as name:
            folder, grid = Path(name), Path(name, "grid.yaml")
            arms = {"arms_file": str(ROOT / "params" / "algorithms.yaml")}
            write_yaml(grid, _demo() | arms)
            wall = snakemake(folder, grid)
            yield compared("the demo ÷ its training", folder, wall, TARGET)
        yield short(warm=False)


def _demo() -> dict[str, Any]:
    """The grid of the demo with the images, rounds and seeds that it had when the target was set.

    Larger images and more rounds than today's; with fewer seeds what it takes beside training is
    the same.
    """
    grid: dict[str, Any] = read_yaml(ROOT / DEFAULT_GRID)
    grid["run"]["federated_learning"]["rounds"] = 15
    return grid | {"datasets": ["phantom"], "seeds": [0, 1]}


def short(warm: bool) -> Result:
    """100 short runs, forked or each with an interpreter of its own."""
    word = "" if warm else ", each with an interpreter"
    with tempfile.TemporaryDirectory() as name:
        wall = snakemake(Path(name), write_grid(Path(name)), "runs", warm=warm)
        target = TARGET if warm else None
        return compared(f"100 short runs ÷ their training{word}", Path(name), wall, target)
