"""What travels: messages, the parts that they hold, and what a round's messages add up to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PARAMETERS, STATISTICS = "parameters", "statistics"


class NotFiniteError(Exception):
    """What a client would send is NaN or infinite: it takes no part in the round."""


def all_finite(vector: Tensor) -> bool:
    """Whether no entry of a vector is NaN or infinite; nor may their sum be."""
    return math.isfinite(float(vector.sum()))


@dataclass(frozen=True)
class Part:
    """One vector of a message. It holds only entries that leave the client.

    Attributes:
        value: (k,), for example a client's parameters y_i, its statistics or its Δc_i.
        weight: its weight in the round's sum, not normalised: n_i, 1, n_i/‖a_i‖ …
        base: (k,), what the value started from, such as x: links act on value − base. None
            stands for zeros.
        private: whether links clip, noise, quantise and mask it. An algorithm that sends a public
            part says so, and why, in its docstring.
        bits: its size on the wire; None where that is the size of ``value`` in memory.
        grid: s, where every entry of the update is a whole multiple of s; else None. Distributed
            noise is drawn in whole multiples, which a link that masks must not round again.
    """

    value: Tensor
    weight: float
    base: Tensor | None = None
    private: bool = True
    bits: int | None = None
    grid: float | None = None

    @property
    def update(self) -> Tensor:
        """Value − base, (k,): what links and rules act on."""
        return self.value if self.base is None else self.value - self.base

    def with_update(
        self, update: Tensor, bits: int | None = None, grid: float | None = None
    ) -> Part:
        """The same part with another update, (k,), and another size on the wire if given."""
        value = update if self.base is None else self.base + update
        bits = self.bits if bits is None else bits
        return replace(self, value=value, bits=bits, grid=grid)

    @property
    def size(self) -> int:
        """Bytes on the wire; a last byte that is not full counts whole."""
        if self.bits is not None:
            return math.ceil(self.bits / 8)
        return self.value.numel() * self.value.element_size()


@dataclass(frozen=True)
class Drawn:
    """The batch of which a client computes the gradient.

    Attributes:
        rows: (B,), the store rows of its samples; a link may have drawn none.
        purpose: the descent that it belongs to, such as ``train``.
        step: how many batches this descent has had before, from 0.
    """

    rows: Tensor
    purpose: str
    step: int


@dataclass
class Work:
    """What one client's local training came to.

    Attributes:
        loss: mean training loss of the model that it sends.
        steps: optimiser steps τ_i of that model.
        gradients: batches of which a gradient was computed, for whichever model.
        extras: what ``train`` hands to ``message``.
        forwards: batches of which only the loss was computed (``client.mean_loss``).
    """

    loss: float
    steps: int
    gradients: int
    extras: dict[str, Tensor] = field(default_factory=dict)
    forwards: int = 0

    def __add__(self, other: Work) -> Work:
        """Two descents of the model that the client sends, one after the other.

        Batches and steps add up; the loss is the mean over all steps.
        """
        steps = self.steps + other.steps
        loss = (self.loss * self.steps + other.loss * other.steps) / steps
        gradients, forwards = self.gradients + other.gradients, self.forwards + other.forwards
        return Work(loss, steps, gradients, {**self.extras, **other.extras}, forwards)


@dataclass(frozen=True)
class Sealed:
    """What travels in place of a message's parts: masked or encrypted, so that it shows nothing.

    Attributes:
        content: what the link that sealed it takes in again, in its ``combination``.
        size: bytes on the wire.
    """

    content: Any
    size: int


@dataclass
class Message:
    """What one client sends to the server in a round.

    Attributes:
        client: the client's id.
        parts: name → part. Their vectors may be those of the model that the client trained in;
            they are overwritten when the next client trains in it.
        weight: n_i, or 1 under equal weights: the weight of ``loss`` in the round's mean.
        loss: the client's mean training loss; None where a link keeps it from the server.
        steps: optimiser steps τ_i of the model that the client sends; None where a link keeps that
            from the server.
        gradients: batches of which the client computed a gradient, for whichever model; None as
            ``steps``.
        notes: numbers that links note for their columns; they are not sent.
        sealed: what travels in place of the parts; None where they travel as they are. The parts
            are then what the client itself knows of what it sent.
        forwards: batches of which the client computed only the loss; None as ``gradients``.
    """

    client: int
    parts: dict[str, Part]
    weight: float
    loss: float | None
    steps: int | None
    gradients: int | None
    notes: dict[str, float] = field(default_factory=dict)
    sealed: Sealed | None = None
    forwards: int | None = 0

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        if self.sealed is not None:
            return self.sealed.size
        return sum(part.size for part in self.parts.values())

    @property
    def travelling(self) -> Message:
        """What arrives at the server: where the message is sealed, without its parts."""
        return self if self.sealed is None else replace(self, parts={})

    def check_finite(self) -> None:
        """Refuse a loss or a part that is not finite (``NotFiniteError``): no rule mends it."""
        if not math.isfinite(self.loss or 0.0):
            raise NotFiniteError("the loss is not finite")
        for name, part in self.parts.items():
            if not all_finite(part.value):
                raise NotFiniteError(f"the part `{name}` of its update is not finite")

    def copy(self) -> Message:
        """A copy whose vectors stay as they are when the next client trains."""
        parts = {name: replace(part, value=part.value.clone()) for name, part in self.parts.items()}
        return replace(self, parts=parts, notes=dict(self.notes))


@dataclass(frozen=True)
class Total:
    """What the messages of a round add up to in one of their parts.

    Attributes:
        mean: Σ w_i v_i / Σ w_i, (k,), over those who answered, or what another rule than the sum
            puts in its place.
        weight: Σ w_i over those who answered.
        base: the parts' common base x, (k,); None stands for zeros.
    """

    mean: Tensor
    weight: float
    base: Tensor | None = None

    @property
    def sum(self) -> Tensor:
        """Σ w_i v_i, (k,)."""
        return self.mean * self.weight

    @property
    def update(self) -> Tensor:
        """Σ w_i (v_i − x), (k,)."""
        moved = self.mean if self.base is None else self.mean - self.base
        return moved * self.weight
