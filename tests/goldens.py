"""Golden federations: what every algorithm and every model gives, number by number.

`python tests/goldens.py` writes the files that are missing in tests/golden; tests/test_golden.py
runs the same federations and compares.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from federations import ALGORITHMS, Normed, federation, small_store, split_of
from torch import nn

from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.record import run_metrics
from medfl.files import write_json
from medfl.models import MODELS

FOLDER = Path(__file__).parent / "golden"
# Rounding differs between processors and builds of PyTorch; a few rounds carry it this far.
ELSEWHERE = 1e-9


class Pooled(nn.Sequential):
    """A network that takes images of any size, as a sliding window needs."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, classes),
        )


# Unequal clients of whom three of four take part, so that clients' state outlives absent rounds.
SETTINGS: dict[str, Any] = {
    "sizes": (5, 16, 11, 8),
    "model": Normed,
    "rounds": 4,
    "clients_per_round": 3,
    "momentum": 0.5,
    "local_epochs": 2,
    "evaluate_every": 2,
    "target_accuracy": 0.4,
}
# Settings of the engine that the federations above do not touch.
ENGINE: dict[str, dict[str, Any]] = {
    "adam": {
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "learning_rate": 0.01,
        "lr_schedule": "cosine",
        "warmup_rounds": 1,
        "clip_norm": 0.5,
    },
    "uniform": {
        "weighting": "uniform",
        "local_epochs": None,
        "local_steps": 5,
        "weight_decay": 0.01,
        "lr_schedule": "step",
    },
    "weighted-scaffold": {
        "algorithm": "scaffold",
        "params": {"control_weights": "federation", "server_learning_rate": 0.5},
    },
    "augmented": {"augmentation": {"preset": "xray", "mixup": 0.4}},
    "patches": {"store": small_store(40 + 32, size=12), "patch": 8, "model": Pooled},
}


def names() -> list[str]:
    """Every golden file, without its ending."""
    kinds = {"algorithm": ALGORITHMS, "engine": ENGINE, "model": MODELS}
    return [f"{kind}-{word}" for kind, words in kinds.items() for word in words]


def run(name: str) -> dict[str, Any]:
    """Train one golden federation and give all of its numbers."""
    kind, _, word = name.partition("-")
    if kind == "model":
        trainer = _model(word)
    elif kind == "engine":
        trainer = federation(**(SETTINGS | ENGINE[word]))
    else:
        trainer = federation(word.split("-")[0], ALGORITHMS[word], **SETTINGS)
    torch.set_num_threads(1)
    trainer.train()
    assert trainer.status == "completed"
    server = trainer.server
    tensors = {"vector": server.vector, "buffers": server.buffers}
    for key, value in server.algorithm.state.items():
        tensors[f"server.{key}"] = value
    for client in trainer.clients:
        for key, value in sorted(client.state.items()):
            tensors[f"client{client.id}.{key}"] = value
    metrics = run_metrics(trainer)
    del metrics["timing"]
    return {
        "weights": {key: _numbers(value) for key, value in tensors.items()},
        "rounds": [_timeless(row) for row in trainer.history],
        "clients": [_timeless(row) for row in trainer.client_history],
        "metrics": json.loads(json.dumps(metrics)),
    }


def _model(word: str) -> FederatedTrainer:
    """Two clients train a built-in model for one step each, in double precision."""
    sizes = [4, 6]
    store = small_store(sum(sizes) + 8, size=32)
    data = FederatedData(store, split_of(store, sizes)).double()
    config = FederatedConfig(
        num_clients=2, rounds=1, batch_size=6, evaluate_every=100, model={"name": word}
    )
    torch.set_default_dtype(torch.float64)
    try:
        server = FederatedServer(config, data)
    finally:
        torch.set_default_dtype(torch.float32)
    clients = [FederatedClient(client, data) for client in data.clients]
    return FederatedTrainer(config, server, clients)


def _numbers(tensor: torch.Tensor) -> Any:
    """All entries of a small tensor; of a large one its hash, its norm and some entries."""
    flat = tensor.detach().reshape(-1)
    if len(flat) <= 500:
        return flat.tolist()
    chosen = torch.linspace(0, len(flat) - 1, 100).long()
    return {
        "sha256": hashlib.sha256(flat.contiguous().numpy().tobytes()).hexdigest(),
        "norm": float(torch.linalg.vector_norm(flat)),
        "entries": flat[chosen].tolist(),
    }


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "seconds"}


def machine() -> dict[str, str]:
    """What decides the last bit of a sum: the same bits are asked for only where it is equal."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor()
    return {
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": processor.partition(":")[2].strip() or processor,
    }


def differences(golden: Any, found: Any, exact: bool, place: str = "") -> Iterator[str]:
    """Where ``found`` lacks or changes a number of ``golden``; what is new in it may stand."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for key, value in golden.items():
            if key == "sha256" and not exact:
                continue
            if key not in found:
                yield f"{place}/{key} is missing"
            else:
                yield from differences(value, found[key], exact, f"{place}/{key}")
    elif isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        for number, (one, other) in enumerate(zip(golden, found, strict=True)):
            yield from differences(one, other, exact, f"{place}/{number}")
    elif isinstance(golden, float) and isinstance(found, int | float) and not exact:
        if abs(golden - found) > ELSEWHERE * max(1.0, abs(golden)):
            yield f"{place}: {found!r} was {golden!r}"
    elif golden != found:
        yield f"{place}: {found!r} was {golden!r}"


def read(name: str) -> dict[str, Any]:
    """One golden file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def main() -> None:
    """Write the files that are missing."""
    for name in names():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            write_json(path, {"machine": machine(), **run(name)})
            print(path.name, file=sys.stderr)


if __name__ == "__main__":
    main()
