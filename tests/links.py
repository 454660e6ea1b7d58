"""Tiny links, one or more for each place at which a link may act."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from medfl.chain import PARAMETERS, Link, Message, Total
from medfl.chain.link import Backward
from medfl.registry import HyperParams
from medfl.results.columns import Column


class Watch(Link):
    """Keeps a copy of every message that the links before it let through."""

    stage = "round"

    def __init__(self) -> None:
        super().__init__()
        self.name = "watch"
        self.rounds: dict[int, dict[int, Message]] = {}

    def message(self, client: Any, message: Message) -> Message:
        self.rounds.setdefault(client.server.round, {})[client.id] = message.copy()
        return message


def watch(trainer: Any) -> dict[int, dict[int, Message]]:
    """Round → client → what it sent, filled while ``trainer`` trains."""
    link = Watch()
    trainer.server.chain.links.append(link)
    return link.rounds


class Public(Link):
    """Pixels that are normalised by public constants, and nothing else."""

    stage = "data"
    public_pixels = True


class Still(Link):
    """Place 1: could change what is in a batch, and leaves it as it is."""

    stage = "data"

    def samples(self, client: Any, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return images, labels


class FlipLabels(Link):
    """Place 1, what is in a batch: client 0 calls class k class K − 1 − k."""

    class Params(HyperParams):
        """classes: K."""

        classes: int = 3

    stage = "data"

    def samples(self, client: Any, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return images, self.params.classes - 1 - labels if client.id == 0 else labels


class Poisson(Link):
    """Place 1, how batches are drawn: every sample with probability q, as many steps as before."""

    class Params(HyperParams):
        """q: the probability with which each sample is drawn."""

        q: float = 0.5

    stage = "data"

    def batches(self, client: Any, rows: Iterator[Tensor], purpose: str) -> Iterator[Tensor]:
        generator = self.stream(client.server.round, client.id, purpose)
        for _ in rows:
            inside = torch.rand(len(client.rows), generator=generator) < self.params.q
            yield client.rows[inside] if inside.any() else client.rows[:1]


class Noise(Link):
    """Place 2, a step's gradient: normal noise from the link's own stream is added to it."""

    class Params(HyperParams):
        """deviation: the standard deviation of each entry's noise."""

        deviation: float = 1.0

    stage = "gradient"

    def gradient(
        self, client: Any, model: Any, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        loss = backward(images, labels)
        generator = self.stream(client.server.round, client.id, *images.shape)
        for parameter in model.module.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.grad.add_(drawn, alpha=self.params.deviation)
        return loss


class PerSample(Link):
    """Place 2, a step's gradient sample by sample: the mean of the samples' own gradients."""

    stage = "gradient"

    def gradient(
        self, client: Any, model: Any, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        losses = [backward(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))]
        for parameter in model.module.parameters():
            if parameter.requires_grad:
                parameter.grad.div_(len(images))
        return torch.stack(losses).mean()


class Mimic(Link):
    """Place 4, all messages together: the last client copies the first one's values."""

    stage = "attack"

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        first, last = messages[0], messages[-1]
        parts = {
            name: replace(part, value=first.parts[name].value) for name, part in last.parts.items()
        }
        return [*messages[:-1], replace(last, parts=parts)]


class DropOut(Link):
    """Place 5: one client drops out between the opening and the close of every odd round."""

    class Params(HyperParams):
        """client: who drops out."""

        client: int = 1

    stage = "round"
    columns = (Column("dropped", "Clients that dropped out"),)

    def open(self, number: int, clients: list[int]) -> list[int]:
        self.state["opened"] = torch.tensor([number, *clients])
        return clients

    def message(self, client: Any, message: Message) -> Message | None:
        odd = client.server.round % 2 == 1
        return None if odd and client.id == self.params.client else message

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        absent = set(self.state["opened"].tolist()[1:]) - set(answered)
        self.state["dropped"] = torch.tensor(len(absent))
        return total

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        return {"dropped": float(self.state["dropped"])}


class HalfStep(Link):
    """Place 5, the close: the server gets half of the update."""

    stage = "round"

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        whole = total[PARAMETERS]
        assert whole.base is not None
        half = replace(whole, mean=(whole.mean + whole.base) / 2)
        return {**total, PARAMETERS: half}


class Promise(Link):
    """Promises something else."""

    stage = "data"

    def privacy(self) -> dict[str, Any]:
        return {"unit": "image"}


class Gone(Link):
    """Clients drop out of rounds at the end of the chain: round → who."""

    class Params(HyperParams):
        """rounds: round → ids."""

        rounds: dict[int, list[int]] = Field(default_factory=dict)

    stage = "round"

    def message(self, client: Any, message: Message) -> Message | None:
        return None if client.id in self.params.rounds.get(client.server.round, []) else message


class Spoil(Link):
    """Makes what some clients send NaN."""

    class Params(HyperParams):
        """clients: ids."""

        clients: list[int] = Field(default_factory=list)

    stage = "clip"

    def message(self, client: Any, message: Message) -> Message:
        if client.id in self.params.clients:
            parts = message.parts.items()
            message.parts = {name: part.with_update(part.update * math.nan) for name, part in parts}
        return message


def losing(trainer: Any, rounds: dict[int, list[int]]) -> Any:
    """The trainer, in which clients drop out: round → who."""
    link = Gone(rounds=rounds)
    link.name = "gone"
    trainer.server.chain.links.append(link)
    return trainer


def breaking(trainer: Any, rounds: dict[int, list[int]], value: float = math.nan) -> Any:
    """The trainer, in which the training of clients comes to ``value``: round → who."""
    for client in trainer.clients:
        client.descend = partial(_broken_descend, client, client.descend, rounds, value)
    return trainer


def _broken_descend(
    client: Any,
    descend: Any,
    rounds: dict[int, list[int]],
    value: float,
    model: Any,
    *arguments: Any,
    **options: Any,
) -> Any:
    work = descend(model, *arguments, **options)
    if client.id in rounds.get(client.server.round, []):
        model.vector[3] = value
    return work
