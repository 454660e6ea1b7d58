"""Compares a round of secure aggregation with Flower's SecAgg+ code and with a local epoch."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.federations import random_store
from benchmarks.rounds import plain_loop
from benchmarks.timing import Cost, Result, added, child, compare, cost, environment, interleave
from medfl.models import build_model
from medfl.privacy.secure_aggregation import (
    FixedPoint,
    ProtocolSettings,
    SimulatedAggregation,
    Transcript,
    hash_of_model,
)

CLIENTS = 10
LENGTH = 11_200_000  # the parameters of a ResNet-18
IMAGES = 700  # one client's share of HAM10000
BOUND = 1.0
FLOWER = "MEDFL_FLOWER_PYTHON"  # names the Python of an environment with flwr
SCRIPT = Path(__file__).with_name("flower_secagg.py")


def run(pairs: int) -> Iterator[Result]:
    """Yield the round ÷ Flower's, and the round ÷ one client's local epoch."""
    torch.set_num_threads(1)
    protocol = Round()
    flower = os.environ.get(FLOWER)
    if flower:
        version = child([flower, "-c", "import flwr; print(flwr.__version__)"])[1].split()[-1]
        seen: dict[str, float] = {}

        def other() -> Cost:
            command = [flower, str(SCRIPT), str(CLIENTS), str(LENGTH)]
            found = json.loads(child(command, env=environment())[1].splitlines()[-1])
            seen.update(found)
            return Cost(found["cpu"], found["wall"])

        costs = interleave(protocol.play, other, pairs, warm_up=0)
        result = compare(
            f"secure sum, {CLIENTS} × {LENGTH / 1e6:g} M ÷ Flower's SecAgg+", costs, 1 / 3
        )
        result.note += (
            f"; Flower {version}; bytes up {protocol.bytes_up / 1e6:.0f} / "
            f"{seen['bytes_up'] / 1e6:.0f} MB; error of the mean {protocol.error:.1e} / "
            f"{seen['error']:.1e}"
        )
        yield result
    else:
        yield Result("secure sum ÷ Flower's SecAgg+", note=f"{FLOWER} names no Python with flwr")
    with tempfile.TemporaryDirectory() as folder:
        store = random_store(Path(folder, "random"), IMAGES)
        images = torch.from_numpy(np.array(store.images))
        labels = torch.arange(IMAGES) % 7
        model = build_model("resnet18", num_classes=7, in_channels=3, image_size=(28, 28))
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        epoch = plain_loop(images, labels, [0.5] * 3, [0.5] * 3, model, channels_last=True)
        costs = interleave(protocol.play, lambda: cost(epoch), pairs, warm_up=0)
    yield compare(f"secure sum, {CLIENTS} clients ÷ a local epoch of {IMAGES} images", costs, 1.0)


def vector(client: int) -> np.ndarray:
    """The same as in ``benchmarks/flower_secagg.py``."""
    draw = np.random.default_rng(client)
    return draw.standard_normal(LENGTH, np.float32) * np.float32(0.05)


class Round:
    """A round of all clients and of the server, in one process and on one thread.

    Attributes:
        error: the largest error of the mean.
        bytes_up: what the clients sent.
    """

    def __init__(self) -> None:
        self.point = FixedPoint(BOUND, CLIENTS)
        self.transcript = Transcript(keep=False)
        self.rounds = SimulatedAggregation(range(CLIENTS), ProtocolSettings(), self.transcript)
        self.error = float("nan")
        self.bytes_up = self._number = 0

    def play(self) -> Cost:
        """Run one round; what it costs to make up the vectors is left out."""
        self._number += 1
        before = self.transcript.bytes_up()
        hashed = hash_of_model(self._number.to_bytes(8, "little"))
        spent = cost(lambda: self.rounds.open(self._number, range(CLIENTS), hashed))
        for client in range(CLIENTS):
            update = vector(client)
            drawn = np.random.default_rng(client)
            spent = added(spent, cost(lambda u=update, g=drawn, i=client: self._send(i, u, g)))
        found = []
        spent = added(spent, cost(lambda: found.append(self.point.decode(self.rounds.finish()))))
        exact = np.mean([vector(client).astype(np.float64) for client in range(CLIENTS)], axis=0)
        self.error = float(np.abs(found[0][0] - exact).max())
        self.bytes_up = self.transcript.bytes_up() - before
        return spent

    def _send(self, client: int, update: np.ndarray, drawn: np.random.Generator) -> None:
        encoded = self.point.encode(update, 700, drawn)
        self.rounds.add(self.rounds.mask(client, encoded.vector))
