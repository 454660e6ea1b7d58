"""Compares peak memory: 1,000 clients with 10 that hold the same data, several workers with one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.federations import equal_split, random_store, trainer
from benchmarks.timing import Result, child, environment
from medfl.federated.usage import peak_memory
from medfl.store import Store

FEW, MANY, TRAIN = 10, 1000, 4000
PICTURE = 28


def run(pairs: int) -> Iterator[Result]:
    """Compare FedAvg with the target; SCAFFOLD keeps a vector per client and is for information."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name, "random")
        random_store(store, TRAIN + 2 * MANY, PICTURE)

        def peak(*words: str) -> int:
            command = [sys.executable, "-m", "benchmarks.memory", *words]
            return int(child(command, env=environment())[1].split()[-1])

        for algorithm, target in (("fedavg", 1.1), ("scaffold", None)):
            both = [[str(store), str(clients), algorithm] for clients in (MANY, FEW)]
            peaks = [(peak(*both[0]), peak(*both[1])) for _ in range(pairs)]
            many, few = peaks[0]
            yield Result(
                f"peak memory, {MANY} ÷ {FEW} clients, {algorithm}",
                [many / few for many, few in peaks],
                target,
                note=f"{many / 2**20:.0f} / {few / 2**20:.0f} MiB, all clients train",
            )
        for model in ("cnn", "resnet18"):
            for workers in (2, 4):
                words = [str(store), str(FEW), "fedavg", model]
                peaks = [(peak(*words, str(workers)), peak(*words, "1")) for _ in range(pairs)]
                several, one = peaks[0]
                yield Result(
                    f"peak memory, {workers} workers ÷ one, {model}",
                    [several / one for several, one in peaks],
                    1 + 0.3 * (workers - 1),
                    note=f"{several / 2**20:.0f} / {one / 2**20:.0f} MiB, batches of 32",
                )


def train(store: Path, clients: int, algorithm: str, model: str = "", workers: int = 1) -> None:
    """Train two evaluated rounds: with one step per client, or where a model is named with four."""
    opened = Store.open(store)
    split = equal_split(opened, clients, TRAIN // clients)
    steps, size = (4, 32) if model else (1, 4)
    federation = trainer(
        opened,
        split,
        cores=workers,
        workers=workers,
        algorithm=algorithm,
        rounds=2,
        local_steps=steps,
        batch_size=size,
        model=model or "cnn",
    )
    assert len(federation.train()) == 3


if __name__ == "__main__":
    path, clients, algorithm, *rest = sys.argv[1:]
    train(Path(path), int(clients), algorithm, *rest[:1], *map(int, rest[1:]))
    print(peak_memory())
