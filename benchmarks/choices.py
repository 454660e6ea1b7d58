"""Choices of the engine, measured against what was not chosen: `python -m benchmarks.choices`.

Not part of `make bench`; its numbers stand in README.md.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from benchmarks.timing import compare, cost, interleave
from medfl.federated.optimizer import SGD
from medfl.federated.vector import FlatModel
from medfl.models import build_model

BATCH, RATE = 32, 0.01


def stepper(name: str, kind: str, batch: int = BATCH) -> Callable[[], None]:
    """A training step in one of the ways; ``kind`` says in which it differs from the engine's."""
    model = FlatModel(build_model(name, 7, 3, 28))
    if kind == "channels-last weights too":
        model.module.to(memory_format=torch.channels_last)
    images, labels = torch.randn(batch, 3, 28, 28), torch.arange(batch) % 7
    if kind != "channels-first input":
        images = images.contiguous(memory_format=torch.channels_last)
    parameters = list(model.module.parameters())
    flat = torch.zeros_like(model.vector)
    if kind == "flat gradients":
        for parameter, view in zip(parameters, model.views(flat), strict=True):
            parameter.grad = view
    optimizers = {
        "torch.optim": lambda: torch.optim.SGD(parameters, lr=RATE),
        "torch.optim foreach": lambda: torch.optim.SGD(parameters, lr=RATE, foreach=True),
        "torch.optim fused": lambda: torch.optim.SGD(parameters, lr=RATE, fused=True),
    }
    optimizer = optimizers.get(kind, lambda: SGD(parameters, RATE))()

    def step() -> None:
        cross_entropy(model.module(images), labels).backward()
        if kind == "flat gradients":
            with torch.no_grad():
                model.vector.add_(flat, alpha=-RATE)
                flat.zero_()
        else:
            optimizer.step()
            model.zero_grad()

    return step


def repeat(step: Callable[[], None], times: int) -> None:
    for _ in range(times):
        step()


def run(names: list[str], pairs: int, steps: int) -> None:
    torch.set_num_threads(1)
    for name in names:
        plain = stepper(name, "")
        for kind in (
            "flat gradients",
            "torch.optim",
            "torch.optim foreach",
            "torch.optim fused",
            "channels-first input",
            "channels-last weights too",
        ):
            other = stepper(name, kind)

            costs = interleave(
                partial(cost, partial(repeat, other, steps)),
                partial(cost, partial(repeat, plain, steps)),
                pairs,
            )
            result = compare(f"{name}: {kind} ÷ engine", costs, None)
            ms = statistics.median(c.cpu for _, c in costs) / steps * 1000
            print(
                f"{result.name:45} {result.median:.3f} ({min(result.ratios):.3f} to "
                f"{max(result.ratios):.3f}, {pairs} pairs; the engine's step {ms:.1f} ms)",
                flush=True,
            )


if __name__ == "__main__":
    run(["cnn"], 21, 20)
    run(["resnet18"], int(sys.argv[1]) if len(sys.argv) > 1 else 7, 1)
