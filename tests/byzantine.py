"""Updates of a few clients, as rules get them."""

from __future__ import annotations

from typing import Any

import torch

from medfl.chain import Message, Part, Total
from medfl.robustness.updates import Updates

THREE = ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def rows_of(values: Any, dtype: torch.dtype = torch.float64) -> Updates:
    """Updates from zero, equal weights."""
    return Updates([torch.tensor(row, dtype=dtype) for row in values], None, [1.0] * len(values))


def distances(values: Any) -> torch.Tensor:
    """Their squared distances."""
    return rows_of(values).squared_distances()


def combine(rule: Any, values: Any, weights: Any = None, base: Any = None) -> Total:
    """What a rule makes of messages with one part."""
    combination = rule.start()
    for client, value in enumerate(values):
        weight = 1.0 if weights is None else weights[client]
        part = Part(torch.tensor(value, dtype=torch.float64), weight, base)
        combination.add(Message(client, {"a": part}, 1.0, 0.0, 1, 1))
    return combination.total().get("a")
