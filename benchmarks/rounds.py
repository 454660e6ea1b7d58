"""Compares a federated round with a plain PyTorch loop that takes the same steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch

from benchmarks.federations import equal_split, random_store, trainer
from benchmarks.timing import Cost, Result, compare, cost, interleave
from medfl.algorithms import ALGORITHMS
from medfl.models import build_model

CLIENTS, BATCH, LEARNING_RATE = 10, 32, 0.01
# Steps per client and round. With few of them the engine's work between steps weighs most.
STEPS = {"cnn": 8, "resnet18": 1}


def plain_loop(
    images: torch.Tensor,
    labels: torch.Tensor,
    mean: Any,
    std: Any,
    model: torch.nn.Module,
    channels_last: bool,
    half: bool = False,
) -> Callable[[], None]:
    """One epoch as anyone would write it, over uint8 ``images`` (n, C, H, W) in memory.

    With ``half``, forward passes compute in bfloat16.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    scale = (1 / (255 * torch.tensor(std))).view(1, -1, 1, 1).to(images.device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shift = (-torch.tensor(mean) / torch.tensor(std)).view(1, -1, 1, 1).to(images.device)

    def epoch() -> None:
        model.train()
        total = torch.zeros((), device=images.device)
        for rows in torch.randperm(len(images), device=images.device).split(BATCH):
            batch = images[rows].to(torch.float32, memory_format=layout)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
                logits = model(batch.mul_(scale).add_(shift))
                loss = torch.nn.functional.cross_entropy(logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()

    return epoch


def pair(
    store: Any,
    model: str,
    algorithm: str = "fedavg",
    device: str = "cpu",
    channels_last: bool = True,
    **settings: Any,
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A federated round and a plain epoch of the same number of steps."""
    federation = trainer(
        store,
        equal_split(store, CLIENTS, STEPS[model] * BATCH),
        device,
        algorithm=algorithm,
        model=model,
        rounds=10_000,
        learning_rate=LEARNING_RATE,
        mixed_precision=settings.pop("mixed_precision", "off"),
        **settings,
    )
    data, numbers = federation.data, count(1)
    rows = data.pooled("train")
    net = build_model(model, len(store.info.classes), 3, data.images.shape[-1]).to(device)
    mean, std = store.info.mean, store.info.std
    epoch = plain_loop(data.images[rows], data.labels[rows], mean, std, net, channels_last)
    return lambda: federation._round(next(numbers)), epoch


def run(pairs: int) -> Iterator[Result]:
    """Compare FedAvg with both models with the target; the other algorithms are for information."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        samples = CLIENTS * max(STEPS.values()) * BATCH + 40
        store = random_store(Path(folder, "random"), samples)
        for model, last, times in (
            ("cnn", False, 3 * pairs),
            ("cnn", True, 3 * pairs),
            ("resnet18", True, pairs),
        ):
            costs = measure(store, model, "fedavg", times, last)
            words = "channels-last plain loop" if last else "plain loop"
            yield compare(f"round ÷ {words}, {model}, fedavg", costs, 1.05)
        for algorithm in ALGORITHMS:
            if algorithm != "fedavg":
                costs = measure(store, "cnn", algorithm, max(2, pairs // 2))
                yield compare(f"round ÷ channels-last plain loop, cnn, {algorithm}", costs, None)


def measure(
    store: Any, model: str, algorithm: str, pairs: int, channels_last: bool = True
) -> list[tuple[Cost, Cost]]:
    """Interleaved costs of a round and of an epoch."""
    ours, plain = pair(store, model, algorithm, channels_last=channels_last)
    return interleave(lambda: cost(ours), lambda: cost(plain), pairs)
