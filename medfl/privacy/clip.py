"""Norm clipping of updates. McMahan, Ramage, Talwar and Zhang, Learning Differentially Private
Recurrent Language Models, ICLR 2018, section 3 (flat clipping of a client's update).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from medfl.chain import Link, Message
from medfl.privacy.norms import bounded, joint_norm, private_parts
from medfl.registry import HyperParams
from medfl.results.columns import Column

if TYPE_CHECKING:
    from medfl.chain.roles import Client


class NormClipping(Link):
    """Scales a message's updates to 2-norm C where they are longer: Δ ← Δ · min(1, C/‖Δ‖).

    The norm is one over all private parts of the message: parameters, batch-norm statistics and
    what else the algorithm sends, such as SCAFFOLD's Δc. Public parts stay as they are.
    """

    class Params(HyperParams):
        """norm: C, which no client's update exceeds in 2-norm; null switches the link off."""

        norm: float | None = Field(1.0, gt=0)

    stage = "clip"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("clipped", "Share of messages that were clipped (%)", "%"),
    )

    @property
    def idle(self) -> bool:
        """Without a bound nothing is clipped."""
        return self.params.norm is None

    @property
    def effect(self) -> str:
        """Say who counts less."""
        return f"clients whose update is longer than {self.params.norm:g} count less than that"

    def message(self, client: Client, message: Message) -> Message:
        """Scale the private parts by one factor; note whether that was needed."""
        parts = private_parts(message)
        norm = joint_norm(parts)
        message.notes["clipped"] = float(norm > self.params.norm)
        message.parts = {**message.parts, **bounded(parts, norm, self.params.norm)}
        return message
