"""Which clients of a federation are attackers: the same for all arms of a split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.config import FederatedConfig


class NotDefinedError(MedflError):
    """An attack or a rule that is not defined for so many clients and attackers.

    Attributes:
        reason: why, in words.
    """

    def __init__(self, what: str, reason: str, mend: str) -> None:
        super().__init__(f"{what}: {reason}: {mend}.")
        self.what, self.reason, self.mend = what, reason, mend

    def __reduce__(self) -> tuple[type[NotDefinedError], tuple[str, str, str]]:
        """Pickle by its parts, so that it crosses processes."""
        return type(self), (self.what, self.reason, self.mend)


def count_attackers(attackers: float, clients: int) -> int:
    """f: ⌊share · n⌋ of n clients, or the number itself where it is whole.

    Raises:
        MedflError: nobody honest would be left.
    """
    count = how_many(attackers, clients)
    if count and count >= clients:
        raise MedflError(
            f"chain.attackers is {attackers:g}, and of {clients} clients none would be honest: "
            "take fewer."
        )
    return count


def how_many(share: float, clients: int) -> int:
    """⌊share · n⌋ of n clients, or the number itself where it is whole."""
    if share >= 1:
        return int(share)
    # 0.29 · 100 is less than 29 in floating point
    return math.floor(Fraction(repr(float(share))) * clients)


def choose_attackers(config: FederatedConfig, clients: Sequence[int]) -> list[int]:
    """The ids of the attackers among all ``clients``, ascending.

    They depend on the seed of the split alone, so all arms have the same. A larger number of them
    holds a smaller one's.
    """
    import torch

    from medfl.streams import torch_stream

    count = count_attackers(config.chain.attackers, len(clients))
    order = torch.randperm(len(clients), generator=torch_stream(config.folds_seed, "attackers"))
    return sorted(sorted(clients)[place] for place in order[:count].tolist())
