"""A federated round against a plain PyTorch loop that takes the same steps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch

from benchmarks.federations import equal_split, random_store, trainer
from benchmarks.timing import Cost, Result, compare, cost, interleave
from medfl.algorithms import available
from medfl.models import build_model

CLIENTS, BATCH, LEARNING_RATE = 10, 32, 0.01
# Steps a client and round: one pass over 256 images, fewer than any of HAM10000's clients takes.
STEPS = 8


def plain_loop(
    images: torch.Tensor, labels: torch.Tensor, mean: Any, std: Any, model: torch.nn.Module
) -> Callable[[], None]:
    """One epoch as anyone would write it, over uint8 ``images`` (n, C, H, W) in memory."""
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    scale = (1 / (255 * torch.tensor(std))).view(1, -1, 1, 1).to(images.device)
    shift = (-torch.tensor(mean) / torch.tensor(std)).view(1, -1, 1, 1).to(images.device)

    def epoch() -> None:
        model.train()
        total = torch.zeros((), device=images.device)
        for rows in torch.randperm(len(images), device=images.device).split(BATCH):
            batch = images[rows].float().mul_(scale).add_(shift)
            loss = torch.nn.functional.cross_entropy(model(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()

    return epoch


def pair(
    store: Any, model: str, algorithm: str = "fedavg", device: str = "cpu", **settings: Any
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A federated round and a plain epoch of the same number of steps."""
    federation = trainer(
        store,
        equal_split(store, CLIENTS, STEPS * BATCH),
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
    epoch = plain_loop(data.images[rows], data.labels[rows], store.info.mean, store.info.std, net)
    return lambda: federation._round(next(numbers)), epoch


def run(pairs: int) -> Iterator[Result]:
    """FedAvg with both models, against the target; every algorithm, for information."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = random_store(Path(folder, "random"), CLIENTS * STEPS * BATCH + 40)
        for model, times in (("cnn", 3 * pairs), ("resnet18", pairs)):
            costs = measure(store, model, "fedavg", times)
            yield compare(f"round ÷ plain loop, {model}, fedavg", costs, 1.05)
        for algorithm in available():
            if algorithm != "fedavg":
                costs = measure(store, "cnn", algorithm, pairs)
                yield compare(f"round ÷ plain loop, cnn, {algorithm}", costs, None)


def measure(store: Any, model: str, algorithm: str, pairs: int) -> list[tuple[Cost, Cost]]:
    """Interleaved costs of a round and of an epoch."""
    ours, plain = pair(store, model, algorithm)
    return interleave(lambda: cost(ours), lambda: cost(plain), pairs)
