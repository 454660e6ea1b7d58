"""Noise in proportion to an update, to see how much of it an attack bears.

It promises nothing: its size tells of the update. Differential privacy is what the links of
``medfl/privacy`` give whose names begin with ``dp_``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.chain import STATISTICS, Link, Message
from medfl.registry import HyperParams

if TYPE_CHECKING:
    from medfl.chain.roles import Client


class RelativeNoise(Link):
    """Adds normal noise to a message's private updates, in length in ratio to theirs.

    Each entry gets N(0, (ratio·‖Δ‖)²/k) where k counts the entries. Batch-norm statistics stay as
    they are.
    """

    class Params(HyperParams):
        """ratio: length of the noise over that of the update; 0 switches the link off."""

        ratio: float = Field(1.0, ge=0)

    stage = "noise"

    @property
    def idle(self) -> bool:
        """Without noise nothing changes."""
        return bool(self.params.ratio == 0)

    @property
    def effect(self) -> str:
        """Say that it is right in the mean."""
        return "updates get noise of mean zero"

    def message(self, client: Client, message: Message) -> Message:
        """Add the noise, on a stream of its own for each round, client and part."""
        import torch

        parts = dict(message.parts)
        for name, part in message.parts.items():
            if not part.private or name == STATISTICS or not part.value.numel():
                continue
            update = part.update
            generator = self.stream(client.server.round, client.id, name)
            drawn = torch.randn(update.shape, generator=generator).to(update)
            size = float(update.norm()) * self.params.ratio / update.numel() ** 0.5
            parts[name] = part.with_update(update + size * drawn)
        message.parts = parts
        return message
