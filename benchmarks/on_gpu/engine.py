"""Compares a round of the engine with a plain loop on the device, in time and in memory."""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.on_gpu.budget import Budget, pairs_within
from benchmarks.on_gpu.measuring import Peak, Settings, attempt, timed
from benchmarks.on_gpu.work import CHANNELS, CLASSES, LEARNING_RATE, Shape
from benchmarks.timing import Result, compare

LIMIT, MEMORY_LIMIT = 1.05, 1.10


def rounds(settings: Settings, budget: Budget) -> Iterator[Result]:
    """A round ÷ a plain loop that takes as many steps on the same images.

    On a GPU a round's steps are launched as CUDA graphs, and once more kernel by kernel, as the
    plain loop's are.
    """
    for shape, _ in settings.shapes:
        for graphs in ("auto", "off") if settings.device.type == "cuda" else ("off",):
            words = " kernel by kernel" * (graphs == "off" and settings.device.type == "cuda")
            name = f"{settings.place}: round{words} ÷ plain loop, {shape.words}"
            yield from attempt(name, partial(_round, settings, shape, graphs, name, budget))


def memory(settings: Settings, budget: Budget) -> Iterator[Result]:
    """The most memory of a round ÷ that of a plain loop, the images on the device included.

    A graph keeps the activations of its step, which kernels launched one by one free on their way.
    """
    for shape, _ in settings.shapes:
        for graphs in ("auto", "off"):
            words = " kernel by kernel" * (graphs == "off")
            name = f"{settings.place}: peak memory, round{words} ÷ plain loop, {shape.words}"
            yield from attempt(name, partial(_memory, settings, shape, graphs, name, budget))


def _round(
    settings: Settings, shape: Shape, graphs: str, name: str, budget: Budget
) -> Iterator[Result]:
    budget.check()
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder), shape)
        costs = pairs_within(
            budget,
            partial(timed, federated(store, shape, settings.device, graphs), settings.device),
            partial(timed, plain(store, shape, settings.device), settings.device),
            settings.pairs,
        )
        result = compare(name, costs, LIMIT)
        sides = zip(*costs, strict=True)
        seconds = [statistics.median(cost.wall for cost in side) for side in sides]
        result.note = "{:.3f} s / {:.3f} s".format(*seconds)
        yield result


def _memory(
    settings: Settings, shape: Shape, graphs: str, name: str, budget: Budget
) -> Iterator[Result]:
    budget.check()
    if settings.device.type != "cuda":
        yield Result(name, note="a CPU has no memory of its own: `memory.py` measures a process's")
        return
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder), shape)
        peaks = []
        # The first product of matrices takes a workspace that stays for all that follow.
        torch.ones(8, 8, device=settings.device) @ torch.ones(8, 8, device=settings.device)
        for make in (partial(federated, graphs=graphs), plain):
            peak = Peak(settings.device)
            step = make(store, shape, settings.device)
            for _ in range(2):
                peak.during(partial(timed, step, settings.device))
            peaks.append(peak.bytes or 0)
            del step
            gc.collect()
        ours, loop = peaks
        note = f"{ours / 2**20:.0f} / {loop / 2**20:.0f} MiB, images included"
        limit = MEMORY_LIMIT if graphs == "off" else None
        yield Result(name, [ours / loop], limit, note=note)


def store_of(folder: Path, shape: Shape) -> Any:
    """A store of random images for a federation of this shape, the training images first."""
    from benchmarks.federations import random_store

    return random_store(folder / "random", shape.images + 40, shape.side)


def federated(
    store: Any, shape: Shape, device: torch.device, graphs: str = "auto"
) -> Callable[[], object]:
    """A call trains the next round."""
    from medfl.federated.device import repeat_bits

    federation = federated_trainer(store, shape, str(device), graphs=graphs)
    numbers = count(1)

    def next_round() -> None:
        repeat_bits()  # as a run does; the plain loop may take what convolutions are fastest
        federation._round(next(numbers))
        torch.backends.cudnn.deterministic = False

    return next_round


def federated_trainer(
    store: Any, shape: Shape, device: str, rounds: int = 10_000, graphs: str = "auto"
) -> Any:
    """A federation of this shape, before its first round."""
    from benchmarks.federations import equal_split, trainer

    return trainer(
        store,
        equal_split(store, shape.clients, shape.steps * shape.batch),
        device,
        model=shape.network,
        rounds=rounds,
        evaluate_every=rounds,
        batch_size=shape.batch,
        learning_rate=LEARNING_RATE,
        mixed_precision="on" if shape.half else "off",
        cuda_graphs=graphs,
    )


def plain(store: Any, shape: Shape, device: torch.device) -> Callable[[], object]:
    """A call trains a plain loop for as many steps, on the same images."""
    from benchmarks.rounds import plain_loop
    from medfl.models import build_model

    images = torch.from_numpy(np.array(store.images[: shape.images])).to(device)
    labels = torch.from_numpy(store.labels[: shape.images]).to(device)
    net = build_model(shape.network, CLASSES, CHANNELS, shape.side)
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    info = store.info
    return plain_loop(images, labels, info.mean, info.std, net, True, shape.half)
