"""What is done to updates before a rule combines them: each becomes a mean of several.

Nearest-neighbour mixing: Allouah, Farhadkhani, Guerraoui, Gupta, Pinot and Stephan, Fixing by
Mixing, AISTATS 2023, algorithm 2. Bucketing: Karimireddy, He and Jaggi, Byzantine-Robust Learning
on Heterogeneous Datasets via Bucketing, ICLR 2022, algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def nearest_neighbours(squared: Tensor, f: int) -> Tensor:
    """Coefficients (n, n): each update becomes the mean of the n − f nearest to it, its own too.

    ``squared`` (n, n) are distances. Of equally distant ones the first count.
    """
    import torch

    count = len(squared)
    order = squared.clone().fill_diagonal_(-1.0).sort(dim=1, stable=True).indices[:, : count - f]
    return torch.zeros_like(squared).scatter_(1, order, 1 / (count - f))


def buckets(count: int, size: int, seed: int, number: int) -> Tensor:
    """Coefficients (⌈n/s⌉, n): means of s updates each, drawn anew in each round.

    The last bucket may hold fewer.
    """
    import torch

    from medfl.streams import torch_stream

    order = torch.randperm(count, generator=torch_stream(seed, number, "buckets"))
    parts = order.split(size)
    found = torch.zeros(len(parts), count, dtype=torch.float64)
    for row, part in enumerate(parts):
        found[row, part] = 1 / len(part)
    return found
