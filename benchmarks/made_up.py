"""Writes made-up runs of a grid, whose files have the size and the hashes of real ones.

``python -m benchmarks.made_up GRID`` deals the splits, too; the datasets must be prepared.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import ROOT
from medfl.datasets.place import store_path
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.federated.stale import inputs_now
from medfl.files import OWN_HASH, own_hash, write_csv, write_yaml
from medfl.grid import Cell, GridConfig, read_grid
from medfl.grid.shared import runs_of
from medfl.metrics.jackknife import left_out
from medfl.partition.write import write_split
from medfl.results import paths
from medfl.results.columns import CLIENTS, ROUNDS, names_in
from medfl.results.intact import digests
from medfl.results.predictions import ALL, ModelPredictions, write_predictions
from medfl.results.record import as_dict
from medfl.results.schema import SCHEMA, Record
from medfl.store import Store

ARMS = ("centralized", "local", "fedavg", "fedprox", "fednova", "scaffold", "fedbn", "fedavgm",
        "fedadam", "feddyn", "moon", "ditto")  # fmt: skip
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
NUM_CLIENTS = 10
ROUNDS_OF_A_RUN = 50
TRAFFIC = 2_000_000  # bytes a round
SAMPLES, TESTS = 1000, 700
AVERAGES = ("balanced_accuracy", "auc_macro", "f1_macro", "kappa", "sensitivity_macro")


def write_grid(
    folder: Path, datasets: Sequence[str], partitions: Sequence[str], seeds: Sequence[int]
) -> Path:
    """Write a grid of the twelve shipped arms; its results lie in ``<folder>/results``."""
    path = folder / "grid.yaml"
    content = {
        "output_dir": str(folder / "results"),
        "work_root": str(folder),
        "splits_dir": str(folder / "splits"),
        "arms_file": str(ROOT / "params" / "algorithms.yaml"),
        "datasets": list(datasets),
        "partitions": list(partitions),
        "arms": list(ARMS),
        "seeds": list(seeds),
        "num_clients": NUM_CLIENTS,
    }
    write_yaml(path, content)
    return path


def write_runs(path: Path) -> int:
    """Write a folder for each run of a grid; return how many there are."""
    grid = read_grid(path)
    runs = list(dict.fromkeys(runs_of(grid).values()))
    for cell in runs:
        write_run(grid, cell)
    return len(runs)


def write_splits(path: Path) -> None:
    """Deal the splits of a grid whose datasets are prepared."""
    grid = read_grid(path)
    for cell in dict.fromkeys([*grid.cells(), *runs_of(grid).values()]):
        split = grid.split_path(cell)
        if not split.exists():
            store = Store.open(store_path(cell.dataset, grid.work_root))
            clients = grid.clients(cell.dataset, cell.partition)
            options = grid.split_config().model_dump()
            write_split(store, cell.partition, clients, cell.seed, split, **options)


def write_run(grid: GridConfig, cell: Cell) -> None:
    """Write the files of one run: an accuracy that grows from 0.2, with noise of its own."""
    draws = random.Random(f"{cell}")
    folder = cell.folder(grid.output_dir)
    folder.mkdir(parents=True)
    best = 0.55 + 0.03 * (ARMS.index(cell.arm) % 7)
    curve = [
        0.2 + (best - 0.2) * (1 - 0.9**k) + draws.uniform(-0.02, 0.02)
        for k in range(ROUNDS_OF_A_RUN + 1)
    ]
    write_csv(folder / paths.ROUNDS, names_in(ROUNDS), _rounds(curve))
    write_csv(folder / paths.CLIENTS, names_in(CLIENTS), _clients(curve[-1]))
    (folder / paths.MODEL).write_bytes(draws.randbytes(100_000))
    _write_predictions(folder / paths.PREDICTIONS, curve[-1], draws.randrange(2**32))
    (folder / paths.LOG).write_text("".join(f"round {k}\n" for k in range(ROUNDS_OF_A_RUN)))
    config = grid.run_config(cell)
    write_yaml(folder / paths.CONFIG, config.model_dump(mode="json"))
    record = _record(cell, curve[-1], draws)
    code = run_code(config)
    record["provenance"] = {
        "config_sha256": fingerprint(config),
        "code_sha": code.sha,
        "results_versions": code.versions,
        **inputs_now(grid.split_path(cell), store_path(cell.dataset, grid.work_root)),
    }
    record["files"] = digests(folder)
    content = as_dict(Record.model_validate(record))
    content[OWN_HASH] = own_hash(content)
    (folder / paths.RECORD).write_text(json.dumps(content, indent=2) + "\n")


def _write_predictions(path: Path, accuracy: float, seed: int) -> None:
    """Classes in turn, two pictures a patient, clients in turn; so many are right."""
    draws = np.random.default_rng(seed)
    numbers = np.arange(SAMPLES)
    labels = numbers % len(CLASSES)
    guess = np.where(draws.random(SAMPLES) < accuracy, labels, (labels + 1) % len(CLASSES))
    samples = {
        "fold": np.where(numbers < TESTS, "test", "val"),
        "sample": np.char.add("image", numbers.astype(str)),
        "group": np.char.add("patient", (numbers // 2).astype(str)),
        "client": numbers // 2 % NUM_CLIENTS,
        "label": labels,
    }
    said = 0.05 + (1 - 0.05 * len(CLASSES)) * np.eye(len(CLASSES))[guess]
    predicted = [ModelPredictions("own", ALL, when, numbers, said) for when in ("last", "best")]
    tests = samples["fold"] == "test"
    kept = left_out(labels[tests], samples["group"][tests], said[tests], [], "multiclass")
    write_predictions(path, samples, predicted, CLASSES, "multiclass", kept)


def _rounds(curve: Sequence[float]) -> Iterator[dict[str, Any]]:
    for number, accuracy in enumerate(curve):
        row: dict[str, Any] = {"round": number, "evaluated": 1, "seconds": 0.5}
        row |= {"bytes_up": TRAFFIC // 2, "bytes_down": TRAFFIC // 2}
        row |= {"bytes_total": TRAFFIC * number, "train_loss": 2 - accuracy}
        measured = [name for name in names_in(ROUNDS) if name.startswith(("val_", "test_"))]
        yield row | dict.fromkeys(measured, accuracy)


def _clients(accuracy: float) -> Iterator[dict[str, Any]]:
    for number in range(1, ROUNDS_OF_A_RUN + 1):
        for client in range(NUM_CLIENTS):
            for fold in ("val", "test"):
                yield {"round": number, "client": client, "fold": fold, "accuracy": accuracy}


def _metrics(accuracy: float, full: bool) -> dict[str, Any]:
    averages = {name: accuracy - 0.02 * k for k, name in enumerate(AVERAGES, 1)}
    metrics: dict[str, Any] = {"n": 700, "accuracy": accuracy, "log_loss": 1 - accuracy, "ece": 0.1}
    if full:
        right = round(100 * accuracy)
        spread = (100 - right) // (len(CLASSES) - 1)
        metrics["confusion"] = [
            [right if row == column else spread for column in range(len(CLASSES))]
            for row in range(len(CLASSES))
        ]
        of_class = {"n": 100, "auc": 0.9, "sensitivity": accuracy, "specificity": 0.9}
        metrics["per_class"] = dict.fromkeys(CLASSES, of_class)
    return metrics | averages


@cache
def _without_images() -> dict[str, Any]:
    return {"own": _metrics(0.35, True), "everyone": _metrics(0.3, True)}


def _record(cell: Cell, accuracy: float, draws: random.Random) -> dict[str, Any]:
    evaluated = {"local": "local", "fedbn": "personal", "ditto": "personal"}.get(cell.arm, "global")
    pooled = cell.arm == "centralized"
    known = range(1 if pooled else NUM_CLIENTS)
    accuracies = {str(k): accuracy + draws.uniform(-0.1, 0.1) for k in known}
    worst = min(accuracies, key=lambda client: accuracies[client])
    own, everyone = _metrics(accuracy, True), _metrics(accuracy - 0.05, True)
    moment = {"round": ROUNDS_OF_A_RUN, "val": own, "test": own, "everyone": everyone}
    sent = 0 if pooled or cell.arm == "local" else TRAFFIC * ROUNDS_OF_A_RUN
    return {
        "schema": SCHEMA,
        "dataset": cell.dataset,
        "partition": cell.partition,
        "arm": cell.arm,
        "algorithm": cell.arm,
        "seed": cell.seed,
        "status": "completed",
        "evaluated": evaluated,
        "everyone_by": "server" if evaluated == "global" else "clients",
        "pooled": pooled,
        "primary": "balanced_accuracy",
        "rounds": ROUNDS_OF_A_RUN,
        "steps": 1000,
        "num_clients": len(known),
        "model": "cnn",
        "parameters": TRAFFIC // 8 // NUM_CLIENTS,
        "last": moment,
        "best": moment,
        "without_images": _without_images(),
        "clients": {
            client: {
                "n_train": 300,
                "n_test": 20 + 10 * int(client),
                "test_patients": 15,
                "steps": 100,
                "test": _metrics(value, False)
                | {"accuracy_low": value - 0.1, "accuracy_high": value + 0.1},
            }
            for client, value in accuracies.items()
        },
        "fairness": {
            "metric": "accuracy",
            "min_test_samples": 10,
            "min_test_patients": 2,
            "mean": sum(accuracies.values()) / len(accuracies),
            "std": 0.05,
            "worst": accuracies[worst],
            "worst_client": worst,
            "worst_n_test": 20 + 10 * int(worst),
            "worst_low": accuracies[worst] - 0.15,
            "worst_high": accuracies[worst] + 0.15,
            "best": max(accuracies.values()),
            "jain": 0.98,
            "n": len(accuracies),
            "left_out": {},
        },
        "communication": {"bytes_up": sent // 2, "bytes_down": sent // 2, "target": 0.5},
        "privacy": {"mechanism": "none"},
        "timing": {"seconds": 12.5, "seconds_per_round": 0.25},
        "heterogeneity": {
            "label_distance": {"pairwise_mean": 0.05 if cell.partition == "iid" else 0.4}
        },
    }


if __name__ == "__main__":
    write_splits(Path(sys.argv[1]))
    write_runs(Path(sys.argv[1]))
