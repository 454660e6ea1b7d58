"""Federations with DP-SGD, and what they are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from federations import ALGORITHMS, Grouped, federation, small_store
from torch import Tensor

from medfl.chain import Link, Message
from medfl.chain.link import Backward
from medfl.federated import FederatedTrainer
from medfl.streams import torch_stream

# No noise, and a bound above every norm: the whole path is taken, and changes nothing.
VOID = {"noise_multiplier": 0.0, "max_grad_norm": 1e9}
LAYERS = {"fedbn": {"layers": "normalization"}}
# What passes over all samples, counts labels, or sends nothing, does not compose.
APART = {"scaffold-1", "qfedavg", "fedlc", "feddgga", "silobn", "fedrod", "fedala"}
APART |= {"local", "centralized"}
COMPOSING = sorted(set(ALGORITHMS) - APART)
DESCENTS = {"fedrep": 2}


def patients_store(n: int) -> Any:
    """Two images of each patient, next to each other, but one of every fifth."""
    store = small_store(n)
    number = np.arange(n)
    store.groups = np.char.add("p", (number // 2 * 10 + (number % 10 == 9)).astype(str))
    return store


def private(
    name: str = "fedavg", link: str = "dp_image", params: dict[str, Any] | None = None, **keys: Any
) -> FederatedTrainer:
    """A federation of three clients with DP-SGD; ``params`` are the link's."""
    params = {"descents": DESCENTS.get(name, 1)} | (VOID if params is None else params)
    settings = {"model": Grouped, "local_steps": 3, "store": patients_store(60)}
    return federation(
        name.split("-")[0],
        {**ALGORITHMS[name], **LAYERS.get(name, {})},
        **{"chain": {"links": {link: params}}, **settings, **keys},
    )


class PlainPoisson(Link):
    """Plain SGD over the Poisson batches that `dp_image` draws, by PyTorch's own gradient."""

    stage = "data"
    public_pixels = True

    def setup(self, server: Any) -> None:
        size = server.config.training.batch_size
        self.rates, self.plain = {}, server.algorithm.unshared_descents
        for client in server.data.clients:
            rounded = max(10, (len(server.data.indices(client, "train")) + 5) // 10 * 10)
            self.rates[client] = size / rounded
        self.expected = size

    def batches(self, client: Any, rows: Iterator[Tensor], purpose: str) -> Iterator[Tensor]:
        if purpose in self.plain:
            yield from rows
            return
        key = (client.server.round, client.id, purpose)
        generator = torch_stream(self.seed, "link", "dp_image", *key)
        for _ in rows:
            drawn = torch.rand(len(client.rows), generator=generator, dtype=torch.float64)
            yield client.rows[drawn < self.rates[client.id]]

    def gradient(
        self, client: Any, model: Any, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        if client.drawn.purpose in self.plain:
            return backward(images, labels)
        if not len(images):
            for parameter in model.module.parameters():
                parameter.grad = torch.zeros_like(parameter)
            return torch.zeros(())
        loss = backward(images, labels)
        for parameter in model.module.parameters():
            if parameter.requires_grad:
                parameter.grad.mul_(len(images) / self.expected)
        return loss

    def message(self, client: Any, message: Message) -> Message:
        message.loss = None
        return message
