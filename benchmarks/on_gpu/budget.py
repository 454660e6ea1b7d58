"""Shares a limited time among the parts of a script; what does not fit is left out, and said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.timing import Cost


class NoTimeError(Exception):
    """A measurement does not fit into what is left of its part's time."""


class Budget:
    """So many seconds for parts of given weights; what one leaves over goes to those after it.

    Args:
        seconds: for all parts together.
        weights: part → its weight, in the order in which they come.
        clock: tells the seconds.
    """

    def __init__(
        self,
        seconds: float,
        weights: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._end = clock, clock() + seconds
        self._weights = dict(weights)
        self._until = self._end

    def open(self, part: str) -> float:
        """Begin a part; its seconds are its share of what is left for it and those after it."""
        now = self._clock()
        share = self._weights[part] / sum(self._weights.values())
        del self._weights[part]
        self._until = now + max(0.0, self._end - now) * share
        return self._until - now

    def left(self) -> float:
        """Seconds that are left of the part under way."""
        return self._until - self._clock()

    def check(self, needed: float = 0.0) -> None:
        """Raise ``NoTimeError`` where so many seconds are not left."""
        left = self.left()
        if left <= needed:
            words = f"; about {needed:.0f} s are needed" if needed else ""
            raise NoTimeError(f"{max(0.0, left):.0f} s of this part's share are left{words}")


def pairs_within(
    budget: Budget, ours: Callable[[], Cost], other: Callable[[], Cost], pairs: int
) -> list[tuple[Cost, Cost]]:
    """Costs of alternating calls: as many pairs as fit, at least one.

    Each is called once before, to warm up; that call also says how long a pair may take.

    Raises:
        NoTimeError: not one pair fits.
    """
    budget.check()
    needed = other().wall + ours().wall
    costs: list[tuple[Cost, Cost]] = []
    while len(costs) < pairs:
        if budget.left() <= needed:
            break
        if len(costs) % 2:
            first = other()
            costs.append((ours(), first))
        else:
            mine = ours()
            costs.append((mine, other()))
        needed = sum(cost.wall for cost in costs[-1])
    if not costs:
        budget.check(needed)
    return costs
