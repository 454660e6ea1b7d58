"""What an honest but curious server holds after a round: the messages as they travelled, the sum.

Nothing here changes a run. What a link seals, as secure aggregation does, the observer cannot read
either: of such a client only the sum is left, and what selective encryption leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medfl.chain import PARAMETERS, STATISTICS, Link, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from medfl.chain.message import Total
    from medfl.chain.roles import Client
    from medfl.privacy.attacks.open_entries import OpenEntries, OpenReader


@dataclass
class Observed:
    """What the server holds of one round.

    Attributes:
        models: client → its parameters (k,) as the server received them; clients whose messages
            were sealed are not in it.
        statistics: client → its batch-norm statistics (b,), likewise.
        open: client → the entries of its update that were not encrypted, where others were.
        answered: the clients who are in the sum; one whose update is refused is not.
        before: (k,), the parameters that the server had sent.
        statistics_before: (b,), the statistics that it had sent.
        mean: (k,), the weighted mean that the server's step gets; None where nobody answered.
        mean_statistics: (b,), that of the statistics.
    """

    models: dict[int, Tensor] = field(default_factory=dict)
    statistics: dict[int, Tensor] = field(default_factory=dict)
    open: dict[int, OpenEntries] = field(default_factory=dict)
    answered: frozenset[int] = frozenset()
    before: Tensor | None = None
    statistics_before: Tensor | None = None
    mean: Tensor | None = None
    mean_statistics: Tensor | None = None

    def update(self, client: int | None) -> tuple[Tensor, Tensor] | None:
        """Update of the parameters and statistics that are seen of ``client``; None: of the sum.

        Gives None where nothing of it is seen.
        """
        if self.before is None or self.statistics_before is None:
            return None
        if client is None:
            values, statistics = self.mean, self.mean_statistics
        else:
            values, statistics = self.models.get(client), self.statistics.get(client)
        if values is None or statistics is None:
            return None
        return values - self.before, statistics


class Observer(Link):
    """Keeps what reached the server in the last round. It stands behind all other links.

    Args:
        reader: reads what selective encryption leaves open; None where nothing is.
    """

    stage = "round"

    def __init__(self, reader: OpenReader | None = None) -> None:
        super().__init__()
        self.name = "observer"
        self.seen = Observed()
        self._reader = reader
        self._round = -1

    def message(self, client: Client, message: Message) -> Message:
        """Copy what travels; of a sealed message that is what was left open, if anything."""
        if self._round != client.server.round:
            self.seen, self._round = Observed(), client.server.round
            self.seen.before = client.received[PARAMETERS].clone()
            self.seen.statistics_before = client.received[STATISTICS].clone()
        parts = message.travelling.parts
        if PARAMETERS in parts:
            self.seen.models[message.client] = parts[PARAMETERS].value.clone()
        if STATISTICS in parts:
            self.seen.statistics[message.client] = parts[STATISTICS].value.clone()
        if self._reader is not None and (found := self._reader.read(message)) is not None:
            self.seen.open[message.client] = found
        return message

    def close(
        self, number: int, total: dict[str, Total], answered: Sequence[int]
    ) -> dict[str, Total]:
        """Copy the mean that the server's step gets, and forget the updates that it refused."""
        seen = self.seen
        seen.answered = frozenset(answered)
        for kept in (seen.models, seen.statistics, seen.open):
            for client in kept.keys() - seen.answered:
                del kept[client]
        if PARAMETERS in total:
            self.seen.mean = total[PARAMETERS].mean.clone()
        if STATISTICS in total:
            self.seen.mean_statistics = total[STATISTICS].mean.clone()
        return total
