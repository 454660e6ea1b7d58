"""One norm over all private parts of a message, and its bound."""

from __future__ import annotations

import math
from collections.abc import Mapping

from medfl.chain import Message, Part


def private_parts(message: Message) -> dict[str, Part]:
    """The parts that count in the norm, are noised and are masked."""
    return {name: part for name, part in message.parts.items() if part.private}


def joint_norm(parts: Mapping[str, Part], scales: Mapping[str, float] | None = None) -> float:
    """‖(a_1 Δ_1, a_2 Δ_2, …)‖ over the parts' updates; not finite where one of them is not.

    ``scales`` is part → a; 1 for a part that it lacks.
    """
    scales = scales or {}
    squares = [
        scales.get(name, 1.0) ** 2 * float(part.update.double().square().sum())
        for name, part in parts.items()
    ]
    return math.sqrt(math.fsum(squares)) if all(map(math.isfinite, squares)) else math.nan


def bounded(parts: Mapping[str, Part], norm: float, bound: float) -> dict[str, Part]:
    """All parts scaled by one factor, so that their joint norm, ``norm``, becomes ``bound``.

    Where it is within the bound they are the same objects as before.
    """
    if norm <= bound:
        return dict(parts)
    factor = bound / norm
    return {name: part.with_update(part.update * factor) for name, part in parts.items()}
