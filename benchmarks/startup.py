"""Compares the start of a job, and a whole job of one step, with ``import torch``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks.federations import random_store
from benchmarks.timing import Cost, Result, child, compare, environment, interleave
from medfl.config import SplitConfig
from medfl.files import write_yaml
from medfl.partition.place import split_path
from medfl.partition.write import write_split

SAMPLES, CLIENTS = 200, 10
STOPPED = "stopped before the first computation"


def write_grid(folder: Path) -> Path:
    """Write a grid with one dataset and one split. A run of it takes one step of one client."""
    store = random_store(folder / "prepared" / "phantom", SAMPLES)
    path = split_path(folder / "splits", "phantom", "iid", 0, CLIENTS, SplitConfig())
    write_split(store, "iid", CLIENTS, 0, path)
    grid = folder / "grid.yaml"
    arms = {name: {"algorithm": "fedavg", "model": {"name": name}} for name in ("cnn", "resnet18")}
    content = {
        "work_root": str(folder),
        "splits_dir": str(folder / "splits"),
        "arms_file": None,
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": list(arms),
        "arm_settings": arms,
        "seeds": [0],
        "num_clients": CLIENTS,
        "run": {
            "federated_learning": {"rounds": 1, "local_steps": 1, "clients_per_round": 1},
            "training": {"batch_size": 2, "device": "cpu"},
        },
    }
    write_yaml(grid, content)
    return grid


def run(pairs: int) -> Iterator[Result]:
    """Compare the start of a job with each model, and a whole job with its one step."""
    with tempfile.TemporaryDirectory() as name:
        folder, numbers = Path(name), count()
        grid = write_grid(folder)

        def python(*arguments: str) -> tuple[Cost, str]:
            return child([sys.executable, *arguments], cwd=folder, env=environment())

        def job(arm: str, measured: str = "") -> Cost:
            words = ["--dataset", "phantom", "--partition", "iid", "--arm", arm, "--seed", "0"]
            output = ["--output-dir", str(folder / "runs" / str(next(numbers)))]
            start = ["-c", f"{measured}; from medfl.cli import main; raise SystemExit(main())"]
            spent, said = python(
                *(start if measured else ["-m", "medfl"]),
                "run",
                "--grid",
                str(grid),
                *words,
                *output,
            )
            if measured and STOPPED not in said:
                raise RuntimeError("the job was to stop before its first computation, and did not")
            return spent

        # The job is stopped before its first computation, the evaluation of the initial model.
        stop = (
            "import os; from medfl.federated.evaluation import Evaluator; "
            f"Evaluator.evaluate = lambda *a, **k: (print({STOPPED!r}, flush=True), os._exit(0))"
        )

        def plain() -> Cost:
            return python("-c", "import torch")[0]

        for arm, target in (("cnn", 1.5), ("resnet18", None)):
            costs = interleave(lambda arm=arm: job(arm, stop), plain, pairs)
            yield compare(f"start to first step ÷ import torch, {arm}", costs, target)
        costs = interleave(lambda: job("cnn"), plain, pairs)
        yield compare("whole one-step job ÷ import torch, cnn", costs, None)
