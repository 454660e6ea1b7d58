"""Attackers who also know the rule, and choose the strength that moves what it gives the most."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from medfl.chain.message import Message, NotFiniteError
from medfl.registry import HyperParams
from medfl.results.columns import Column
from medfl.robustness.attacks.knowing import KnowingAttack, mean, moved
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Server


MOST_TRIES = 1000  # each combines a whole round


class AdaptiveAttack(KnowingAttack):
    """Tries strengths s, s · r, s · r² … against the rule in force, part by part.

    It takes the one for which the rule's update lies farthest from the honest mean. The rule sees
    the very messages of the round, so an attacker knows its random draws too.

    Shejwalkar and Houmansadr, Manipulating the Byzantine, NDSS 2021, section IV: the adversary who
    knows the rule.
    """

    class Params(HyperParams):
        """largest: the first strength; ratio: r; tries: how many; 0 switches the link off."""

        largest: float = Field(10.0, gt=0)
        ratio: float = Field(0.75, gt=0, lt=1)
        tries: int = Field(16, ge=0, le=MOST_TRIES)

    columns: ClassVar[tuple[Column, ...]] = (
        Column("attack_strength", "Strength that the attackers chose for the parameters"),
    )

    @property
    def idle(self) -> bool:
        """Without a try there is no attack."""
        return bool(self.params.tries == 0)

    def setup(self, server: Server) -> None:
        """Remember the rule."""
        super().setup(server)
        self._rule = server.chain.rule

    @abstractmethod
    def at(self, honest: Updates, strength: float) -> Tensor:
        """The update (k,) of a strength."""

    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The update of the strength that does the most harm."""
        import torch

        middle, best, chosen = mean(honest), -1.0, 0.0
        for power in range(self.params.tries):
            strength = self.params.largest * self.params.ratio**power
            found = self._combined(name, messages, bad, self.at(honest, strength))
            harm = -1.0 if found is None else float(torch.linalg.vector_norm(found - middle))
            if harm > best:
                best, chosen = harm, strength
        for message in bad:
            message.notes.setdefault("attack_strength", chosen)
        return self.at(honest, chosen)

    def _combined(
        self, name: str, messages: list[Message], bad: list[Message], update: Tensor
    ) -> Tensor | None:
        """What the rule makes of one part of all messages.

        None where it gives the round up, or an attacker would be refused: it is not finite.
        """
        hostile = [
            replace(message, parts={name: self.sent(name, message.parts[name], update)})
            for message in bad
        ]
        alone = [replace(message, parts={name: message.parts[name]}) for message in messages]
        combination = self._rule.start()
        try:
            for message in sorted([*alone, *hostile], key=lambda message: message.client):
                combination.add(message)
        except NotFiniteError:
            return None
        total = combination.total()
        return total[name].update / total[name].weight if total else None


class AdaptiveALIE(AdaptiveAttack):
    """μ + s σ of the honest updates."""

    effect = "attackers send the mean of the others, moved as far as harms most under the rule"

    def at(self, honest: Updates, strength: float) -> Tensor:
        """The mean, moved."""
        return moved(honest, strength, "plus")


class AdaptiveIPM(AdaptiveAttack):
    """−s μ of the honest updates."""

    effect = "attackers send the opposite of the others' mean, as long as harms most under the rule"

    def at(self, honest: Updates, strength: float) -> Tensor:
        """The mean, turned round."""
        return mean(honest) * -strength
