"""Coordinate-wise median. Yin, Chen, Ramchandran and Bartlett, Byzantine-Robust Distributed
Learning: Towards Optimal Statistical Rates, ICML 2018, definition 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medfl.chain.combine import Combination, Rule, check_alike
from medfl.chain.message import Message, Part, Total

if TYPE_CHECKING:
    from torch import Tensor


class CoordinateMedian(Rule):
    """The median of the clients' updates, entry by entry.

    Every client counts once, whatever its weight. The server gets (Σ w_i) times the median
    update, so that weights that do not add up to 1 (FedNova's, SCAFFOLD's) keep their meaning.
    The rule keeps all messages of a round in memory: n vectors of d entries.
    """

    effect = "no weighted mean of F_i: every entry follows the client in the middle"

    def start(self) -> Combination:
        """Open a round without a message."""
        return _Kept()


class _Kept(Combination):
    """Keeps all messages of a round, part by part."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Part]] = {}

    def add(self, message: Message) -> None:
        """Keep a copy of the message's parts."""
        for name, part in message.parts.items():
            known = self._parts.setdefault(name, [])
            if known:
                check_alike(message.client, name, part, known[0].value)
            known.append(replace(part, value=part.value.clone()))

    def total(self) -> dict[str, Total]:
        """base + median(v_i − base) in place of the mean, part by part."""
        return {name: _combine(parts) for name, parts in self._parts.items()}


def _combine(parts: list[Part]) -> Total:
    base, weight = parts[0].base, sum(part.weight for part in parts)
    location = median([part.update for part in parts])
    return Total(location if base is None else location + base, weight, base)


def median(updates: list[Tensor]) -> Tensor:
    """The median (k,) of n vectors (k,): the mean of the middle two where n is even."""
    import torch

    # `torch.median` takes the lower one of the middle two.
    ordered = torch.stack(updates).sort(dim=0).values
    middle = len(updates) // 2
    if len(updates) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
