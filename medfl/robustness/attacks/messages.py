"""Attackers who change their own message, knowing nothing of the others'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.chain.message import Message
from medfl.registry import HyperParams
from medfl.robustness.attacks.base import Attack, attacked

if TYPE_CHECKING:
    from medfl.chain.roles import Client


class SignFlip(Attack):
    """Sends −s times the own update.

    Li, Xu, Chen, Giannakis and Ling, RSA: Byzantine-Robust Stochastic Aggregation Methods, AAAI
    2019, section 5.
    """

    class Params(HyperParams):
        """scale: s; null switches the link off."""

        scale: float | None = Field(1.0, gt=0)

    @property
    def idle(self) -> bool:
        """Without a scale nothing is changed."""
        return self.params.scale is None

    effect = "attackers send the opposite of their update"

    def message(self, client: Client, message: Message) -> Message:
        """Turn an attacker's private parts round."""
        if client.id in self.attackers:
            for name, part in attacked(message).items():
                message.parts[name] = self.sent(name, part, part.update * -self.params.scale)
        return message


class GaussianAttack(Attack):
    """Sends Gaussian noise in place of the update: a hostile client, or one whose model broke.

    Blanchard, El Mhamdi, Guerraoui and Stainer, NeurIPS 2017, section 5, where σ is 200. Here σ is
    relative to the root mean square of the entries of the update that the client would have sent.
    """

    class Params(HyperParams):
        """deviation: σ; null switches the link off."""

        deviation: float | None = Field(10.0, gt=0)

    @property
    def idle(self) -> bool:
        """Without a deviation nothing is changed."""
        return self.params.deviation is None

    effect = "attackers send noise"

    def message(self, client: Client, message: Message) -> Message:
        """Put noise in place of an attacker's private parts."""
        import torch

        if client.id in self.attackers:
            for name, part in attacked(message).items():
                generator = self.stream(client.server.round, client.id, name)
                own = part.update.double()
                noise = torch.randn(own.shape, generator=generator, dtype=torch.float64)
                size = own.square().mean().sqrt() * self.params.deviation
                message.parts[name] = self.sent(name, part, noise.to(own.device) * size)
        return message


class Stops(Attack):
    """Hospitals that train and answer, until from one round on they answer no more."""

    class Params(HyperParams):
        """last: the last round in which they answer; null switches the link off."""

        last: int | None = Field(1, ge=0)

    @property
    def idle(self) -> bool:
        """Without a last round all go on."""
        return self.params.last is None

    effect = "attackers answer no more after some rounds"

    def message(self, client: Client, message: Message) -> Message | None:
        """Let an attacker drop out after its last round."""
        gone = client.id in self.attackers and client.server.round > self.params.last
        return None if gone else message
