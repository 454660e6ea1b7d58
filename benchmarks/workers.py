"""Compares a round on two cores with two plain PyTorch processes that share the same steps.

Each process, and each of the run's two workers, has one thread. The processes share the clients so
that the slower of them is done as early as can be, and neither sends anything: they are the limit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.federations import random_store, trainer, unequal_split
from benchmarks.rounds import BATCH, LEARNING_RATE, plain_loop
from benchmarks.timing import Cost, Result, cost, environment, interleave
from medfl.models import build_model
from medfl.store import Store

# Steps of each client in a round.
CASES = {
    ("cnn", "equal clients"): [16] * 10,
    ("cnn", "unequal clients"): [4, 48, 4, 20, 8, 8, 4, 16, 40, 8],
    ("cnn", "one client is half of all"): [8, 80, 8, 8, 8, 8, 8, 8, 16, 8],
    ("resnet18", "equal clients"): [2] * 10,
    ("resnet18", "unequal clients"): [1, 6, 1, 3, 1, 1, 1, 2, 5, 1],
}
PROCESSES = 2


def run(pairs: int) -> Iterator[Result]:
    """Compare wall times; the machine must have two cores for this alone."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        most = BATCH * max(map(sum, CASES.values()))
        store = random_store(Path(name, "random"), most + 80)
        for (model, words), steps in CASES.items():
            with ExitStack() as after:
                ours, plain = pair(store, model, steps, after)
                costs = interleave(lambda ours=ours: cost(ours), plain, pairs)
            yield Result(
                f"round on two cores ÷ two plain loops, {model}, {words}",
                [mine.wall / other.wall for mine, other in costs],
                1.05,
                note="wall",
            )


def pair(
    store: Store, model: str, steps: Sequence[int], after: ExitStack
) -> tuple[Callable[[], object], Callable[[], Cost]]:
    """A round with two workers, and two processes that take the same steps."""
    split = unequal_split(store, [BATCH * number for number in steps])
    federation = trainer(
        store,
        split,
        cores=PROCESSES,
        workers=PROCESSES,
        model=model,
        rounds=10_000,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        mixed_precision="off",
    )
    loops = [Loop(store, model, number) for number in _shared(steps)]
    for loop in loops:
        after.callback(loop.end)
    numbers = count(1)

    def plain() -> Cost:
        started = time.perf_counter()
        for loop in loops:
            loop.begin()
        processor = sum(loop.wait() for loop in loops)
        return Cost(processor, time.perf_counter() - started)

    return lambda: federation._round(next(numbers)), plain


def _shared(steps: Sequence[int]) -> list[int]:
    """The steps of each process: the longest client goes to whoever has least."""
    shares = [0] * PROCESSES
    for number in sorted(steps, reverse=True):
        shares[shares.index(min(shares))] += number
    return shares


class Loop:
    """A process with a plain loop of so many steps."""

    def __init__(self, store: Store, model: str, steps: int) -> None:
        command = [sys.executable, "-m", "benchmarks.workers", str(store.path), model, str(steps)]
        self._process: Any = subprocess.Popen(
            command,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait()

    def begin(self) -> None:
        """Let it take its steps."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self) -> float:
        """Wait until it has taken them; give its seconds of processor."""
        return float(self._process.stdout.readline())

    def end(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()


def serve(path: str, model: str, steps: int) -> None:
    """Be such a process."""
    torch.set_num_threads(1)
    store = Store.open(path)
    rows = BATCH * steps
    images = torch.from_numpy(np.array(store.images[:rows]))
    labels = torch.from_numpy(store.labels[:rows])
    net = build_model(model, len(store.info.classes), 3, images.shape[-1])
    mean, std = store.info.mean, store.info.std
    epoch = plain_loop(images, labels, mean, std, net.to(memory_format=torch.channels_last), True)
    print(0.0, flush=True)
    for _ in sys.stdin:
        print(cost(epoch).cpu, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
