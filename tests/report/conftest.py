"""Made-up run folders with round numbers, so that expected means can be worked out by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medfl.metrics.jackknife import left_out
from medfl.results.predictions import ModelPredictions, write_predictions

CLASSES = ("cat|egory", "mass", "normal_<tissue>")


@dataclass(frozen=True)
class FakeCell:
    dataset: str
    partition: str
    arm: str
    seed: int


def grid(datasets, partitions, arms, seeds) -> list[FakeCell]:
    return [
        FakeCell(dataset, partition, arm, seed)
        for dataset in datasets
        for partition in partitions
        for arm in arms
        for seed in seeds
    ]


def medical(accuracy: float, confusion: list[list[int]] | None = None) -> dict[str, Any]:
    """Metrics in simple proportion to the accuracy, so that each column can be told apart."""
    return {
        "n": 100,
        "accuracy": accuracy,
        "balanced_accuracy": accuracy - 0.1,
        "auc_macro": accuracy + 0.05,
        "f1_macro": accuracy - 0.05,
        "kappa": accuracy - 0.2,
        "ece": 0.04,
        "log_loss": 0.5,
        "per_class": {
            name: {"n": 30, "auc": 0.9, "sensitivity": 0.7, "specificity": 0.8} for name in CLASSES
        },
        "undefined": [],
        "confusion": confusion or [[8, 1, 1], [2, 16, 2], [0, 0, 0]],
    }


def write_run(
    results: Path,
    cell: Any,
    curve: list[float],
    *,
    evaluated: str = "global",
    status: str = "completed",
    clients: dict[str, float] | None = None,
    bytes_per_round: int = 2_000_000,
    js: float = 0.25,
    algorithm: str | None = None,
    patients: int = 0,
    **changes: Any,
) -> Path:
    """One run folder, whose test accuracy follows ``curve`` (round 0 first).

    With ``patients`` it has predictions of as many test samples, of a patient each.
    """
    rounds = len(curve) - 1
    final = curve[-1]
    clients = clients or {"0": final - 0.1, "1": final, "2": final + 0.05}
    finished = status == "completed"
    # Models of clients' own are worse for everyone.
    test = medical(final) if finished else None
    everyone = medical(final - (0 if evaluated == "global" else 0.3)) if finished else None
    moment = {"round": rounds, "val": test, "test": test, "everyone": everyone}
    traffic = bytes_per_round * rounds
    record = {
        "schema": 3,
        "primary": "accuracy",
        "pooled": cell.arm == "centralized",
        "everyone_by": "server" if evaluated == "global" else "clients",
        "without_images": {"own": medical(0.62), "everyone": medical(0.5)},
        "dataset": cell.dataset,
        "partition": cell.partition,
        "arm": cell.arm,
        "algorithm": algorithm or cell.arm.split("-")[0],
        "seed": cell.seed,
        "status": status,
        "reason": None if status == "completed" else "loss is not finite",
        "evaluated": evaluated,
        "statistics": "averaged with the parameters",
        "rounds": rounds,
        "steps": 21,
        "num_clients": len(clients),
        "model": "cnn",
        "parameters": 12345,
        "last": moment,
        "best": {**moment, "round": max(rounds - 1, 0)},
        "clients": {
            name: {
                "n_train": 10,
                "n_test": 20,
                "steps": 7,
                "test_patients": 15,
                "test": {"n": 20, "patients": 15, "accuracy": value}
                | {"accuracy_low": value - 0.2, "accuracy_high": value + 0.1},
            }
            for name, value in clients.items()
        },
        "fairness": {
            "mean": sum(clients.values()) / len(clients),
            "std": 0.03,
            "worst": min(clients.values()),
            "worst_client": min(clients, key=lambda name: clients[name]),
            "worst_n_test": 20,
            "worst_patients": 15,
            "worst_low": min(clients.values()) - 0.25,
            "worst_high": min(clients.values()) + 0.15,
            "best": max(clients.values()),
            "jain": 0.98,
            "n": len(clients),
            "metric": "accuracy",
            "min_test_samples": 10,
            "min_test_patients": 2,
            "left_out": {},
        },
        "communication": {
            "bytes_up": traffic // 2,
            "bytes_down": traffic // 2,
            "bytes_per_round": bytes_per_round,
            "target": 0.7,
            "rounds_to_target": None,
            "bytes_to_target": None,
        },
        "privacy": {"mechanism": "none", "epsilon": None, "delta": None},
        "timing": {"seconds": 12.5, "seconds_per_round": 0.5},
        "heterogeneity": {"label_distance": {"pairwise_mean": js}},
        "provenance": {
            "git_commit": "0123456789abcdef",
            "medfl": "0.1.0",
            "python": "3.11.9",
            "torch": "2.13.0",
            "platform": "test-data",
            "device": "cpu",
            "store_fingerprint": "a" * 64,
            "split_sha256": f"{cell.seed}" * 64,
            "config_sha256": "c" * 64,
            "results_versions": "engine 1, algorithm fedavg 1, model cnn 1, partition iid 1",
            "code_sha": "d" * 64,
            "started": "2020-01-01T00:00:00",
        },
        **changes,
    }
    folder = Path(results, "runs", cell.dataset, cell.partition, cell.arm, f"seed{cell.seed}")
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(record))
    (folder / "config.yaml").write_text(f"arm: {cell.arm}\nseed: {cell.seed}\n")
    write_rounds(folder, curve, bytes_per_round)
    if patients and finished:
        right = [final] if evaluated == "global" else [final, final - 0.3]
        write_right(folder, [np.arange(patients) < round(patients * share) for share in right])
    return folder


def write_right(folder: Path, right: list[Any], names: Any = None, kept: bool = True) -> None:
    """``predictions.npz`` by which samples are right: (P,) of own patients, and for everyone.

    Args:
        folder: the run's.
        right: one array where all clients use one model, else two.
        names: (P,) of samples and patients; None: ``p0``, ``p1`` …
        kept: whether the file has what the metrics owe to each patient.
    """
    count = len(right[0])
    names = np.array([f"p{k}" for k in range(count)]) if names is None else names
    labels = np.arange(count) % 3
    said = [0.1 + 0.7 * np.eye(3)[(labels + ~hit) % 3] for hit in map(np.asarray, right)]
    rows = np.arange(count)
    blocks = [ModelPredictions("own", -1, "last", rows, said[0])]
    blocks += [ModelPredictions("everyone", 0, "last", rows, one) for one in said[1:]]
    samples = {"fold": np.repeat("test", count), "sample": names, "group": names}
    samples |= {"client": np.zeros(count, int), "label": labels}
    left = left_out(labels, names, said[0], said[1:], "multiclass") if kept else None
    write_predictions(folder / "predictions.npz", samples, blocks, CLASSES, "multiclass", left)


def write_rounds(folder: Path, curve: list[float], bytes_per_round: int) -> None:
    columns = (
        *("round", "train_loss", "bytes_up", "bytes_down", "bytes_total", "seconds", "evaluated"),
        *("val_accuracy", "test_accuracy", "test_balanced_accuracy", "test_auc_macro"),
        *("test_loss", "worst_client_accuracy"),
    )
    with (folder / "rounds.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for number, accuracy in enumerate(curve):
            half = bytes_per_round // 2 if number else 0
            row = {"round": number, "bytes_up": half, "bytes_down": half}
            row |= {"bytes_total": bytes_per_round * number, "evaluated": 1}
            row |= {"val_accuracy": accuracy, "test_accuracy": accuracy}
            row |= {"test_balanced_accuracy": accuracy - 0.1, "test_loss": 1 - accuracy}
            row |= {"worst_client_accuracy": accuracy - 0.1}
            writer.writerow(row)


PARTITIONS = ("iid", "dirichlet-0.5")
ARMS = ("centralized", "local", "fedavg", "fedprox", "fedbn")
# Final accuracy of seeds 0, 1 and 2.
FINAL = {
    ("iid", "centralized"): (0.92, 0.93, 0.94),
    ("iid", "local"): (0.60, 0.61, 0.62),
    ("iid", "fedavg"): (0.80, 0.82, 0.84),  # mean .82, sd .02
    ("iid", "fedprox"): (0.81, 0.83, 0.85),  # always .01 better: no spread, not testable
    ("iid", "fedbn"): (0.85, 0.85, 0.85),
    ("dirichlet-0.5", "centralized"): (0.92, 0.93, 0.94),
    ("dirichlet-0.5", "local"): (0.40, 0.41, 0.42),
    ("dirichlet-0.5", "fedavg"): (0.70, 0.74, 0.72),  # mean .72, sd .02
    ("dirichlet-0.5", "fedprox"): (0.60, 0.65, 0.64),  # behind by .10, .09, .08: t = 15.59
    ("dirichlet-0.5", "fedbn"): (0.78, 0.80, 0.82),
}
EVALUATED = {"fedbn": "personal", "local": "local"}


def write_results(folder: Path, partitions: tuple[str, ...] = PARTITIONS) -> list[FakeCell]:
    """A complete grid of one data set, five arms and three seeds; gives its cells."""
    cells = grid(["toy"], partitions, ARMS, [0, 1, 2])
    for cell in cells:
        write_run(
            folder,
            cell,
            [0.3, 0.5, FINAL[cell.partition, cell.arm][cell.seed]],
            evaluated=EVALUATED.get(cell.arm, "global"),
            bytes_per_round=0 if cell.arm in ("centralized", "local") else 2_000_000,
            patients=1000,
            js={"iid": 0.05, "dirichlet-0.5": 0.4}[cell.partition],
        )
    return cells


# What the private arms below promise: unit, ε (None: infinite), links that hide, final accuracy of
# seeds 0, 1 and 2.
PRIVATE: dict[str, tuple[str, float | None, tuple[str, ...], tuple[float, float, float]]] = {
    "fedavg": ("", None, (), (0.80, 0.82, 0.84)),
    "fedavg-dp-image-inf": ("image", None, (), (0.74, 0.75, 0.76)),
    "fedavg-dp-image-eps8": ("image", 7.991, (), (0.66, 0.70, 0.68)),
    "fedavg-dp-image-eps1": ("image", 0.9999, (), (0.52, 0.50, 0.54)),
    "scaffold-dp": ("lesion", 7.5, (), (0.60, 0.60, 0.60)),
    "fedavg-secagg": ("", None, ("secure_aggregation",), (0.80, 0.82, 0.84)),
}


def write_private(folder: Path, partitions: tuple[str, ...] = ("iid",)) -> list[FakeCell]:
    """A complete grid with arms that promise an ε, or hide single updates; gives its cells."""
    cells = grid(["toy"], partitions, PRIVATE, [0, 1, 2])
    for cell in cells:
        unit, epsilon, links, final = PRIVATE[cell.arm]
        promise = {"mechanism": f"dp_{unit}", "unit": unit, "epsilon": epsilon, "delta": 1e-5}
        none = {"mechanism": "none", "epsilon": None, "delta": None}
        write_run(
            folder,
            cell,
            [0.3, final[cell.seed]],
            bytes_per_round=5_000_000 if links else 2_000_000,
            timing={"seconds": 10.0 + cell.seed, "seconds_per_round": 1.0},
            privacy=promise if unit else none,
            chain={name: {} for name in links},
        )
    return cells


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """The makers above, for tests that need other runs."""
    return SimpleNamespace(
        Cell=FakeCell,
        grid=grid,
        write_run=write_run,
        write_right=write_right,
        medical=medical,
        write_results=write_results,
        write_private=write_private,
    )


@pytest.fixture
def cells() -> list[FakeCell]:
    return grid(["toy"], PARTITIONS, ARMS, [0, 1, 2])


@pytest.fixture
def results_dir(tmp_path: Path) -> Path:
    """A complete grid of two partitions."""
    write_results(tmp_path)
    return tmp_path
