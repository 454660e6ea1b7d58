"""Compares peak memory with 1,000 clients and with 10 clients that hold the same data."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.federations import equal_split, random_store, trainer
from benchmarks.startup import environment
from benchmarks.timing import Result, child
from medfl.store import Store

FEW, MANY, TRAIN = 10, 1000, 4000
PICTURE = 28


def run(pairs: int) -> Iterator[Result]:
    """Compare FedAvg with the target; SCAFFOLD keeps a vector per client and is for information."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name, "random")
        random_store(store, TRAIN + 2 * MANY, PICTURE)

        def peak(clients: int, algorithm: str) -> int:
            command = [sys.executable, "-m", "benchmarks.memory", str(store), str(clients)]
            return int(child([*command, algorithm], env=environment())[1].split()[-1])

        for algorithm, target in (("fedavg", 1.1), ("scaffold", None)):
            peaks = [(peak(MANY, algorithm), peak(FEW, algorithm)) for _ in range(pairs)]
            many, few = peaks[0]
            yield Result(
                f"peak memory, {MANY} ÷ {FEW} clients, {algorithm}",
                [many / few for many, few in peaks],
                target,
                note=f"{many / 2**20:.0f} / {few / 2**20:.0f} MiB, all clients train",
            )


def train(store: Path, clients: int, algorithm: str) -> None:
    """Train two evaluated rounds with one step per client."""
    opened = Store.open(store)
    split = equal_split(opened, clients, TRAIN // clients)
    federation = trainer(
        opened, split, algorithm=algorithm, rounds=2, local_steps=1, batch_size=4, model="cnn"
    )
    assert len(federation.train()) == 3


def peak_memory() -> int:
    """The most bytes that this process held. (``ru_maxrss`` would count its parent's, too.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    print(peak_memory())
