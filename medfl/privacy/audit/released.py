"""What a run releases, as an attacker sees it: added up over its rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from medfl.chain import PARAMETERS, Link, Message
from medfl.chain.link import Backward

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from medfl.chain.message import Total
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel


class Released(Link):
    """Adds up what leaves the clients, and the mean that the server gets. It changes nothing.

    It stands behind all other links, so it sees what an attacker would.

    Args:
        told: is called with 1 for each message.
        each: whether the attacker sees each client's message, or the mean alone.

    Attributes:
        updates: client → Σ over rounds of the update that it sent, (k,); empty where unseen.
        mean: Σ over rounds of the mean update that the server got, (k,); None before the first.
        drawn: client → of each step of its training, the store rows that were drawn, (B,).
        participants: the clients of each round.
    """

    stage = "round"
    by_client = ("drawn",)

    def __init__(self, told: Callable[[int], object], each: bool) -> None:
        super().__init__()
        self.name = "released"
        self.updates: dict[int, Tensor] = {}
        self.mean: Tensor | None = None
        self.drawn: dict[int, list[NDArray[np.int64]]] = {}
        self.participants: list[list[int]] = []
        self._told, self._each = told, each

    def all_updates(self) -> NDArray[np.float64]:
        """The updates of all clients, (clients, k), by their ids; else the mean one, (1, k)."""
        import torch

        assert self.mean is not None
        seen = [self.updates[client] for client in sorted(self.updates)] or [self.mean]
        found: NDArray[np.float64] = torch.stack(seen).numpy()
        return found

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Note who takes part."""
        self.participants.append(list(clients))
        return clients

    def gradient(
        self, client: Client, model: FlatModel, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        """Note what was drawn."""
        self.drawn.setdefault(client.id, []).append(client.drawn.rows.cpu().numpy())
        return backward(images, labels)

    def message(self, client: Client, message: Message) -> Message:
        """Add the update up, as it travels."""
        if self._each:
            update = message.travelling.parts[PARAMETERS].update.double()
            known = self.updates.get(client.id)
            self.updates[client.id] = update if known is None else known + update
        self._told(1)
        return message

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """Add the mean up, with the noise that the server has added."""
        part = total[PARAMETERS]
        moved = (part.mean if part.base is None else part.mean - part.base).double()
        self.mean = moved if self.mean is None else self.mean + moved
        return total
