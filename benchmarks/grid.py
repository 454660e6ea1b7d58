"""Times `snakemake -n` of a grid of 3,000 runs, and medfl's part of it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import ROOT, Result, child, environment
from medfl.files import read_yaml, write_yaml

PARTITIONS = ("iid", "dirichlet-0.5", "dirichlet-0.1", "pathological-2", "quantity-1.5")
ARMS = ("centralized", "local", "fedavg", "fedprox", "fednova", "scaffold", "fedbn", "fedavgm",
        "fedadam", "feddyn", "moon", "ditto")  # fmt: skip
SEEDS = range(50)
RUNS = len(PARTITIONS) * len(ARMS) * len(SEEDS)
LIMIT = 1.0  # seconds
# Snakemake loads these by itself, or medfl needs them for the smallest grid: they are not counted.
IMPORTS = "import numpy, pydantic, yaml, pydantic.root_model"


def write_grid(folder: Path) -> Path:
    """Write a grid of 5 partitions × 12 arms × 50 seeds."""
    path = folder / "grid.yaml"
    content = {
        "output_dir": str(folder / "results"),
        "arms_file": str(ROOT / "params" / "algorithms.yaml"),
        "datasets": ["phantom"],
        "partitions": list(PARTITIONS),
        "arms": list(ARMS),
        "seeds": list(SEEDS),
        "num_clients": 5,
    }
    write_yaml(path, content)
    return path


def ours(path: Path) -> None:
    """Do what the workflow asks of medfl while it builds the grid, imports included."""
    from medfl.datasets.code import dataset_sha
    from medfl.federated.code import run_code
    from medfl.federated.fingerprint import fingerprint
    from medfl.grid import load_grid
    from medfl.partition.code import split_code
    from medfl.sources import source_sha

    grid = load_grid(read_yaml(path))
    for cell in grid.cells():
        grid.split_path(cell)
        grid.clients(cell.dataset, cell.partition)
        config = grid.run_config(cell)
        fingerprint(config)
        run_code(config)
        split_code(cell.partition)
    dataset_sha(grid.datasets[0])
    source_sha("medfl.report", "medfl.pages")
    assert len(grid.cells()) == RUNS


def run(pairs: int) -> Iterator[Result]:
    """Measure medfl's seconds against the limit; the seconds of the whole are for information."""
    with tempfile.TemporaryDirectory() as name:
        path = write_grid(Path(name))
        start, all_of_it = [], []
        for _ in range(pairs):
            start.append(child([sys.executable, "-c", IMPORTS], env=environment())[0].cpu)
            command = [sys.executable, "-m", "benchmarks.grid", str(path)]
            all_of_it.append(child(command, env=environment())[0].cpu)
        yield Result(
            f"grid of {RUNS} runs: medfl's part",
            [whole - bare for whole, bare in zip(all_of_it, start, strict=True)],
            LIMIT,
            "s",
            "import, read, check, resolve and hash every run; Python, pydantic, numpy apart",
        )
        whole = child(
            [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "1",
             "--configfile", str(path)],
            cwd=ROOT,
            env=environment(),
        )[0]  # fmt: skip
        yield Result(
            f"grid of {RUNS} runs: snakemake -n",
            [whole.cpu],
            None,
            "s",
            f"{whole.wall:.1f} s of wall time",
        )


if __name__ == "__main__":
    ours(Path(sys.argv[1]))
