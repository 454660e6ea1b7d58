"""What attacks share: who attacks, and what an attacker can send unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from medfl.chain.link import Link, Stage
from medfl.chain.message import STATISTICS, Message, Part
from medfl.errors import MedflError
from medfl.results.columns import Column
from medfl.robustness.attackers import choose_attackers

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig

LEAST_VARIANCE = 0.01  # of the variance that the server sent; no part of a model may be negative


class Attack(Link):
    """Lets the run's attackers (``chain.attackers``) do something else than the others.

    Without attackers it changes nothing.

    Attributes:
        attackers: their ids.
        strength: what it makes of the number of clients and attackers, for the record.
    """

    strength: float | None = None
    stage: ClassVar[Stage] = "attack"
    client_columns: ClassVar[tuple[Column, ...]] = (
        Column("attacker", "Whether the client attacks", kind=int),
    )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.attackers: frozenset[int] = frozenset()

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse a second attack: nobody could say which of them did what."""
        others = [link.name for link in links if isinstance(link, Attack) and link is not self]
        if others:
            raise MedflError(
                f"the chain holds two attacks, {self.name} and {others[0]}: keep one of them."
            )

    def setup(self, server: Server) -> None:
        """Learn who attacks, and which statistics are variances."""
        self.attackers = frozenset(choose_attackers(server.config, server.data.clients))
        self._variances = variances(server)

    def client_row(self, client: int) -> dict[str, float | None]:
        """Say whether the client attacks."""
        return {"attacker": int(client in self.attackers)}

    def record(self) -> dict[str, Any]:
        """Say who attacks."""
        return {"attackers": sorted(self.attackers)}

    def sent(self, name: str, part: Part, update: Tensor) -> Part:
        """The part with a hostile ``update`` (k,), whose running variances stay positive."""
        found = part.with_update(update.to(part.value.dtype))
        if name == STATISTICS and part.base is not None and self._variances.any():
            value, mask = found.value.clone(), self._variances.to(found.value.device)
            least = LEAST_VARIANCE * part.base[mask]
            value[mask] = value[mask].maximum(least)
            return replace(found, value=value)
        return found


def attacked(message: Message) -> dict[str, Part]:
    """The parts of a message that attacks change: the private ones that have an entry."""
    return {n: part for n, part in message.parts.items() if part.private and part.value.numel()}


def variances(server: Server) -> Tensor:
    """Which of the shared statistics are running variances, boolean (b,)."""
    model = server.model
    names = {n for n, _ in model.module.named_buffers() if n.endswith("running_var")}
    shared = ~model.mask(server.algorithm.local_names(model))[1]
    return model.mask(names)[1][shared]
