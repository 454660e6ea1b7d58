"""Coordinate-wise median and trimmed mean. Yin, Chen, Ramchandran and Bartlett,
Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, definitions 1
and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.robustness.rule import RobustRule
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor


class CoordinateMedian(RobustRule):
    """The median of the clients' updates, entry by entry, equal weights."""

    effect = "no weighted mean of F_i: every entry follows the client in the middle"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The median (k,), block by block."""
        return median(updates)


class TrimmedMean(RobustRule):
    """The mean of each entry without its f largest and its f smallest values, equal weights."""

    effect = "no weighted mean of F_i: every entry is a mean without its largest and smallest"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The trimmed mean (k,), block by block."""
        return trimmed_mean(updates, f)


def median(updates: Updates) -> Tensor:
    """The median (k,) of n updates (k,): the mean of the middle two where n is even."""
    import torch

    found, middle = torch.empty_like(updates.values[0]), len(updates) // 2
    for where, rows in updates.blocks(found.dtype):
        # `torch.median` takes the lower one of the middle two.
        ordered = rows.sort(dim=0).values
        found[where] = ordered[middle]
        if len(updates) % 2 == 0:
            found[where] = (ordered[middle - 1] + ordered[middle]) / 2
    return found


def trimmed_mean(updates: Updates, f: int) -> Tensor:
    """The mean (k,) of each entry's values but the f largest and the f smallest."""
    import torch

    found = torch.empty_like(updates.values[0])
    for where, rows in updates.blocks():
        found[where] = rows.sort(dim=0).values[f : len(updates) - f].mean(dim=0).to(found.dtype)
    return found
