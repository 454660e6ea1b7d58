"""What travels: parts, the messages that hold them, and what a round's messages add up to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PARAMETERS, STATISTICS = "parameters", "statistics"


@dataclass(frozen=True)
class Part:
    """One vector of a message. Only entries that leave the client stand in it.

    Attributes:
        value: (k,), for example a client's parameters y_i, its statistics or its Δc_i.
        weight: its weight in the round's sum, not normalised: n_i, 1, n_i/‖a_i‖ …
        base: (k,), what the value started from, x; links act on value − base. None for 0.
        private: whether links clip, noise, quantise and mask it. False is a decision that the
            algorithm takes and its docstring names.
        bits: its size on the wire; None for the size of ``value`` in memory.
    """

    value: Tensor
    weight: float
    base: Tensor | None = None
    private: bool = True
    bits: int | None = None

    @property
    def update(self) -> Tensor:
        """Value − base, (k,): what links and rules act on."""
        return self.value if self.base is None else self.value - self.base

    def with_update(self, update: Tensor, bits: int | None = None) -> Part:
        """The same part with another update, (k,), and another size on the wire if given."""
        value = update if self.base is None else self.base + update
        return replace(self, value=value, bits=self.bits if bits is None else bits)

    @property
    def size(self) -> int:
        """Bytes on the wire, the last one filled up."""
        if self.bits is not None:
            return math.ceil(self.bits / 8)
        return self.value.numel() * self.value.element_size()


@dataclass
class Message:
    """What one client sends to the server in a round.

    Attributes:
        client: the client's id.
        parts: name → part. The vectors of a client that trained in a shared model are overwritten
            when the next client trains in it.
        weight: n_i, or 1 under equal weights; of the mean training loss.
        loss: the client's mean training loss; None where a link keeps it from the server.
        steps: optimiser steps τ_i of the model that it sends.
        gradients: batches of which it computed a gradient, for whichever model.
        notes: what links remember of this message for their columns; not sent.
    """

    client: int
    parts: dict[str, Part]
    weight: float
    loss: float | None
    steps: int
    gradients: int
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return sum(part.size for part in self.parts.values())

    def copy(self) -> Message:
        """A message whose vectors stand when the next client trains."""
        parts = {name: replace(part, value=part.value.clone()) for name, part in self.parts.items()}
        return replace(self, parts=parts, notes=dict(self.notes))


@dataclass(frozen=True)
class Total:
    """What the messages of a round add up to in one of their parts.

    Attributes:
        mean: Σ w_i v_i / Σ w_i, (k,), over those who answered; or what a rule has in its place.
        weight: Σ w_i over those who answered.
        base: the parts' common base x, (k,); None for 0.
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
