"""The sum of sealed messages, as the chain makes it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from medfl.chain import Combination, Message, Total
from medfl.errors import MedflError
from medfl.privacy.sealed.refusals import RefusedMessageError

if TYPE_CHECKING:
    from medfl.privacy.sealed.parts import PartPlace


log = logging.getLogger(__name__)


class Unseals(Protocol):
    """Who adds sealed messages up, and opens the sum."""

    def add(self, message: Message) -> tuple[PartPlace, ...]:
        """Add a message; say what lies where in its vector."""

    def finish(self, number: int, places: Sequence[PartPlace]) -> dict[str, Total]:
        """The totals of round ``number``; empty where it is given up."""


class SealedSum(Combination):
    """Adds messages that are masked or encrypted."""

    def __init__(self, link: Unseals, number: int) -> None:
        self._link, self._number = link, number
        self._places: tuple[PartPlace, ...] = ()

    def add(self, message: Message) -> None:
        """Add one message; one that is refused is left out, and the others go on.

        Raises:
            MedflError: it has other parts than those before.
        """
        try:
            places = self._link.add(message)
        except RefusedMessageError as refusal:
            log.warning("%s", refusal)
            return
        if self._places and _shapes(places) != _shapes(self._places):
            raise MedflError(
                f"client {message.client} sends other parts than the clients before it, so that "
                "what is sealed cannot be added up."
            )
        self._places = places

    def total(self) -> dict[str, Total]:
        """The totals by part; empty where the round is given up."""
        return self._link.finish(self._number, self._places)


def _shapes(places: Sequence[PartPlace]) -> list[tuple[str, int, float | None]]:
    return [(place.name, place.length, place.grid) for place in places]
