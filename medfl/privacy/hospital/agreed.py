"""What the messages of a round have in common, so that their sum can be read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medfl.chain import Part
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AgreedPart:
    """What is the same for all hospitals in a part of their messages, and not private.

    Attributes:
        weight: w, as the algorithm gave it.
        travels: the weight with which the part is summed.
        base: x, (k,), what the server sent; None stands for zeros.
        private: whether noise hides the part.
    """

    weight: float
    travels: float
    base: Tensor | None
    private: bool


class AgreedParts(dict[str, AgreedPart]):
    """Part → what all messages of a round have in common in it."""

    def take(self, given: Mapping[str, Part], sent: Mapping[str, Part]) -> None:
        """Note a message's parts as they were given, and as they are sent.

        Raises:
            MedflError: a part has another weight than in another message.
        """
        for name, part in given.items():
            one = AgreedPart(part.weight, sent[name].weight, part.base, part.private)
            known = self.setdefault(name, one)
            if not math.isclose(known.weight, one.weight, rel_tol=1e-12):
                raise MedflError(
                    f"dp_hospital: hospitals give the part {name} different weights, so that one "
                    "bound does not hold for them all: choose another algorithm."
                )
