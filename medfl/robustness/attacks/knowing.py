"""Attackers who know what the honest clients of a round send, and send one update together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from medfl.chain.message import Message
from medfl.errors import MedflError
from medfl.registry import HyperParams
from medfl.robustness.attackers import NotDefinedError, count_attackers
from medfl.robustness.attacks.base import Attack, attacked
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.link import Link
    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig

Sign = Literal["plus", "minus"]


class KnowingAttack(Attack):
    """All attackers send one update, made part by part of those of the honest clients."""

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse links that show no message to anyone."""
        super().check(config, algorithm, links)
        sealing = [link.name for link in links if link.stage == "mask"]
        if sealing:
            raise MedflError(
                f"{self.name} knows what the others send, and {sealing[0]} hides that: take an "
                "attack on the own message, such as sign_flip, or leave one of them out."
            )

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        """Put the common update into the attackers' messages."""
        bad = [message for message in messages if message.client in self.attackers]
        honest = [message for message in messages if message.client not in self.attackers]
        if not bad or len(honest) < 2:
            return messages
        for name in attacked(honest[0]):
            known = Updates.of([message.parts[name] for message in honest])
            update = self.update(name, known, honest, bad)
            for message in bad:
                message.parts[name] = self.sent(name, message.parts[name], update)
        return messages

    @abstractmethod
    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The update (k,) that all attackers send in the part ``name``.

        Args:
            name: of the part.
            honest: what the honest clients send in it.
            messages: their messages.
            bad: those of the attackers, as they would be without an attack.
        """


class ALittleIsEnough(KnowingAttack):
    """μ + z σ, or μ − z σ: mean and standard deviation (n − 1) of the honest updates.

    Baruch, Baruch and Goldberg, A Little Is Enough, NeurIPS 2019, algorithm 3: of n clients f are
    attackers, and z = Φ⁻¹((n − f − s)/(n − f)) with s = ⌊n/2⌋ + 1 − f.
    """

    class Params(HyperParams):
        """z: how many standard deviations; null: by n and f. sign: on which side of the mean."""

        z: float | None = Field(None, gt=0)
        sign: Sign = "plus"

    effect = "attackers send the mean of the others, moved within their spread"

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse a federation for which it is not defined, where its clients are known."""
        super().check(config, algorithm, links)
        if config.federated_learning.num_clients is not None:
            self._demand(config, config.federated_learning.num_clients)

    def setup(self, server: Server) -> None:
        """Refuse a federation for which it is not defined."""
        super().setup(server)
        config, clients = server.config, server.num_clients
        self._demand(config, clients)
        several = min(clients, config.federated_learning.clients_per_round or clients)
        count = min(len(self.attackers), several - 1)
        # Of sampled clients so many at most: a round with fewer has the z of these.
        self.strength = self.params.z or alie_z(several, count)

    def _demand(self, config: FederatedConfig, clients: int) -> None:
        count = count_attackers(config.chain.attackers, clients)
        several = min(clients, config.federated_learning.clients_per_round or clients)
        if count and self.params.z is None and not alie_z(several, min(count, several - 1)):
            raise NotDefinedError(
                f"the attack {self.name}",
                f"its z by n and f is not positive at n = {several} clients a round of which "
                f"f = {count} attack",
                "take other numbers, or say `z`",
            )

    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The mean, moved by z standard deviations."""
        z = self.params.z
        if z is None:
            z = alie_z(len(honest) + len(bad), len(bad))
        return moved(honest, z, self.params.sign)


class InnerProduct(KnowingAttack):
    """−ε times the mean of the honest updates.

    Xie, Koyejo and Gupta, Fall of Empires: Breaking Byzantine-Tolerant SGD by Inner Product
    Manipulation, UAI 2019, section 4.
    """

    class Params(HyperParams):
        """scale: ε; null switches the link off."""

        scale: float | None = Field(0.1, gt=0)

    @property
    def idle(self) -> bool:
        """Without a scale nothing is changed."""
        return self.params.scale is None

    effect = "attackers send the opposite of the others' mean"

    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The mean, turned round."""
        return mean(honest).mul_(-self.params.scale)


def alie_z(clients: int, attackers: int) -> float:
    """z of Baruch et al. for n clients of which f attack; 0 where it is not positive or defined."""
    honest = clients - attackers
    supporters = clients // 2 + 1 - attackers
    share = (honest - supporters) / honest
    return NormalDist().inv_cdf(share) if 0.5 < share < 1 else 0.0


def mean(updates: Updates) -> Tensor:
    """The mean (k,) of the rows, each counted once."""
    import torch

    count = len(updates)
    return updates.combined(torch.full((count,), 1 / count, dtype=torch.float64))


def moved(updates: Updates, z: float, sign: Sign) -> Tensor:
    """The rows' mean and ± z times their standard deviation (n − 1), (k,)."""
    import torch

    found = torch.empty_like(updates.values[0])
    for where, rows in updates.blocks():
        way = z if sign == "plus" else -z
        found[where] = (rows.mean(dim=0) + way * rows.std(dim=0)).to(found.dtype)
    return found
