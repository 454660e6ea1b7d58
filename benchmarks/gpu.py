"""Compares a round with a plain loop on a GPU, and measures images per second of ResNet-18."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from benchmarks import rounds
from benchmarks.federations import random_store
from benchmarks.timing import Cost, Result, compare, interleave
from medfl.models import build_model

STEPS = 50
LIMIT = 1.05


def run(pairs: int) -> Iterator[Result]:
    """Measure both; where there is no GPU, one line says so."""
    if not torch.cuda.is_available():
        yield Result("GPU", note=f"no CUDA device (torch {torch.__version__}): not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        samples = rounds.CLIENTS * max(rounds.STEPS.values()) * rounds.BATCH + 40
        store = random_store(Path(folder, "random"), samples)
        for model in rounds.STEPS:
            federated, plain = rounds.pair(store, model, device="cuda")
            costs = interleave(
                partial(synchronised, federated), partial(synchronised, plain), 5 * pairs, 3
            )
            yield compare(f"GPU: round ÷ channels-last plain loop, {model}", costs, LIMIT)
        yield from throughput(store, pairs)


def synchronised(function: Callable[[], object]) -> Cost:
    """The cost of one call until the device is done: wall time is what counts."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return Cost(seconds, seconds)


def throughput(store: object, pairs: int) -> Iterator[Result]:
    """Images per second, batch 32 at 28×28: the engine, the plain loop, and what is possible."""
    for precision in ("off", "on"):
        federated, _ = rounds.pair(store, "resnet18", device="cuda", mixed_precision=precision)
        federated()
        images = rounds.CLIENTS * rounds.STEPS["resnet18"] * rounds.BATCH
        rates = [images / synchronised(federated).wall for _ in range(5 * pairs)]
        words = "bfloat16" if precision == "on" else "float32"
        yield Result(f"GPU: engine, {words}", rates, unit="images/s")
    variants = (
        ("plain loop, float32", False, False, False),
        ("plain loop, bfloat16", True, False, False),
        ("plain loop, bfloat16, channels last", True, True, False),
        ("CUDA graph, bfloat16, channels last", True, True, True),
    )
    for name, half, last, graph in variants:
        many = steps(half, last, graph, torch.device("cuda"))
        many()
        rates = [STEPS * rounds.BATCH / synchronised(many).wall for _ in range(5 * pairs)]
        yield Result(f"GPU: {name}", rates, unit="images/s")


def steps(half: bool, last: bool, graph: bool, device: torch.device) -> Callable[[], None]:
    """``STEPS`` training steps of ResNet-18 on uint8 images gathered on the device."""
    layout = torch.channels_last if last else torch.contiguous_format
    model = build_model("resnet18", 7, 3, 28).to(device, memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.randint(0, 256, (4096, 3, 28, 28), dtype=torch.uint8, device=device)
    labels = torch.randint(0, 7, (4096,), device=device)
    rows = torch.arange(rounds.BATCH, device=device)

    def step() -> None:
        batch = images[rows].to(torch.float32, memory_format=layout).div_(255)
        # Cast weights are not cached: inside a graph the cache would outlive its step.
        with torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            loss = cross_entropy(model(batch), labels[rows])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=not graph)

    run_step: Callable[[], None] = step
    if graph:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            step()
        run_step = captured.replay

    def many() -> None:
        for part in torch.randperm(len(images), device=device).split(rounds.BATCH)[:STEPS]:
            rows.copy_(part)
            run_step()

    return many
