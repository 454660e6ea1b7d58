"""Stochastic uniform quantisation of updates. Suresh, Yu, Kumar and McMahan, Distributed Mean
Estimation with Limited Communication, ICML 2017, section 2.2 (stochastic k-level quantisation),
with levels that are symmetric about zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from medfl.chain import STATISTICS, Link, Message
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medfl.chain.roles import Client


SCALE_BITS = 32  # s travels with each part, as a single-precision number


class StochasticQuantization(Link):
    """Moves each entry of an update to one of 2^b − 1 levels, without bias.

    The levels are s·{−(2^(b−1) − 1), …, 2^(b−1) − 1} with s = max |Δ| / (2^(b−1) − 1) for each
    private part of a message. An entry between two levels goes up with the probability that makes
    its mean right. A part takes b bits per entry and 32 for s. Batch-norm statistics travel as
    they are.
    """

    class Params(HyperParams):
        """bits: b, how many bits one entry takes; null switches the link off."""

        bits: int | None = Field(8, ge=2, le=52)

    stage = "compress"
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "quantization_error", "Quantisation error relative to the update", direction="lower"
        ),
    )

    @property
    def idle(self) -> bool:
        """Without a number of bits nothing is quantised."""
        return self.params.bits is None

    @property
    def effect(self) -> str:
        """Say that rounding leaves the mean as it is."""
        return f"updates are rounded to {self.params.bits} bits, without bias"

    def message(self, client: Client, message: Message) -> Message:
        """Quantise the private parts; note the error's 2-norm over that of the update."""
        error = length = 0.0
        parts = dict(message.parts)
        for name, part in message.parts.items():
            # A variance rounded below zero would be none; and the few statistics cost little.
            if not part.private or name == STATISTICS or not part.value.numel():
                continue
            update = part.update
            generator = self.stream(client.server.round, client.id, name)
            sent = _quantize(update, self.params.bits, generator)
            size = sent.numel() * self.params.bits + SCALE_BITS
            parts[name] = part.with_update(sent, size)
            error += float((sent - update).double().square().sum())
            length += float(update.double().square().sum())
        message.parts = parts
        if length > 0:
            message.notes["quantization_error"] = (error / length) ** 0.5
        return message


def _quantize(update: Tensor, bits: int, generator: torch.Generator) -> Tensor:
    """``update`` (k,), each entry moved to one of its two nearest levels."""
    import torch

    largest = float(update.abs().max())
    if largest == 0.0:
        return update
    # In double precision: single precision has too few digits for more than 24 bits.
    step = largest / (2 ** (bits - 1) - 1)
    drawn = torch.rand(update.shape, generator=generator, dtype=torch.float64)
    levels = (update.double() / step).add_(drawn.to(update.device)).floor_()
    # Rounding may carry the largest entry one level too far.
    levels.clamp_(-(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1)
    quantized: Tensor = levels.mul_(step).to(update.dtype)
    return quantized
