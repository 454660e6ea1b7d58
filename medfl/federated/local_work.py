"""How much each client trains in a round, so that every arm does the same local work.

Of N clients C take part in a round. Who takes part makes E passes over its training samples, or S
steps. A client of ``local`` does in every round the share C/N of that, because it has no rounds to
sit out: so in the mean it takes as many steps as one of the federation. ``centralized`` takes C · S
steps a round, or makes E passes over all samples, whoever takes part: what it learns from them does
not depend on how they are dealt to clients, nor on how many of these are sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LocalWork:
    """The local steps of each client in each round.

    Attributes:
        whole: client → its steps where it does the whole work of a round.
        epochs: E, whole passes over a client's samples; None where steps are counted.
        taking_part: C, the clients that take part in a round of a federation.
        everyone: N, all clients of the federation.
        shared: whether each client trains in every round, and does the share C/N where steps are
            counted or it is alone; else who takes part does the whole.
        pooled: whether one client holds all samples.
    """

    whole: Mapping[int, int]
    epochs: int | None
    taking_part: int
    everyone: int
    shared: bool
    pooled: bool

    @property
    def part(self) -> bool:
        """Whether clients do but a part of the whole work in each round."""
        passes = self.pooled and self.epochs is not None
        return self.shared and self.taking_part < self.everyone and not passes

    def steps(self, client: int, number: int) -> int:
        """The steps of a client in round ``number``, if it takes part.

        A share of C/N need not be whole: after r rounds a client has taken r · C/N times its whole
        steps, rounded to the next number. So in some rounds it may take none.
        """
        if not self.part:
            return self.whole[client]
        return self._until(client, number) - self._until(client, number - 1)

    def of(self, client: int, number: int) -> tuple[int | None, int | None]:
        """Passes over the samples, or else steps, of a client in round ``number``."""
        if self.epochs is not None and not self.part:
            return self.epochs, None
        return None, self.steps(client, number)

    def _until(self, client: int, number: int) -> int:
        wanted = number * self.whole[client] * self.taking_part
        return (2 * wanted + self.everyone) // (2 * self.everyone)

    def __str__(self) -> str:
        """The work in words, for the record and the report."""
        share = f"{self.taking_part}/{self.everyone} of " if self.part else ""
        if self.epochs is None:
            steps = next(iter(self.whole.values())) // (self.everyone if self.pooled else 1)
            if self.pooled:
                return f"{self.taking_part} × {steps} steps on the pooled training samples a round"
            each = f"{share}{steps} local step{'s' * (steps > 1)}"
        else:
            passes = f"{share}{self.epochs} pass{'es' * (self.epochs > 1)}"
            if self.pooled:
                return f"{passes} over the pooled training samples a round"
            each = f"{passes} over its training samples"
        sampled = self.taking_part < self.everyone and not self.shared
        some = f"{self.taking_part} of " if sampled else ""
        return f"{some}{self.everyone} client{'s' * (self.everyone > 1)} a round, each {each}"
