"""Who takes part in a round, and of how many sums each hospital has been a part."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attendance:
    """Counts for each hospital the sums in which it may have been, and ends at the limit.

    Sums are counted when a round is opened, before anything is sent. So what a hospital does not
    answer counts all the same.

    Attributes:
        name: the link's.
        clients: all hospitals' ids, ascending.
        limit: how many sums keep to a hospital's budget, of those that are planned.
        drawn: whether hospitals are drawn by chance, each by itself: a sum then counts for all of
            them, as nobody else knows who was drawn.
    """

    name: str
    clients: Sequence[int]
    limit: int
    drawn: bool

    def begin(self) -> dict[str, Tensor]:
        """The state before the first round: nothing is spent."""
        import torch

        none = torch.zeros(len(self.clients), dtype=torch.int64)
        return {"releases": none, "spent_from": none.clone()}

    def open(
        self, state: Mapping[str, Tensor], number: int, clients: Sequence[int]
    ) -> tuple[list[int], dict[str, Tensor]]:
        """Who of ``clients`` may take part in round ``number``, and the state with this round."""
        asked = set(self.clients if self.drawn else clients)
        releases, spent_from = state["releases"].clone(), state["spent_from"].clone()
        allowed = set()
        for place, client in enumerate(self.clients):
            if client not in asked:
                continue
            if int(releases[place]) < self.limit:
                releases[place] += 1
                allowed.add(client)
            elif not int(spent_from[place]):
                spent_from[place] = number
        spent = int((spent_from == number).sum())
        if spent:
            log.warning(
                "%s: %d hospitals have spent their budget and take no part from round %d on",
                self.name,
                spent,
                number,
            )
        changed = {**state, "releases": releases, "spent_from": spent_from}
        return [client for client in clients if client in allowed], changed

    def of(self, state: Mapping[str, Tensor], client: int) -> int:
        """The sums in which a hospital may have been."""
        return int(state["releases"][bisect_left(self.clients, client)])

    def most(self, state: Mapping[str, Tensor]) -> int:
        """The largest count of all."""
        return int(state["releases"].max())

    def spent(self, state: Mapping[str, Tensor]) -> dict[str, int]:
        """Hospital → the round from which on it takes no part, for those that are at their end."""
        rounds = state["spent_from"].tolist()
        return {
            str(client): round_number
            for client, round_number in zip(self.clients, rounds, strict=True)
            if round_number
        }
