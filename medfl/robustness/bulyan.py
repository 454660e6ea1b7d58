"""Bulyan over Krum. El Mhamdi, Guerraoui and Rouault, The Hidden Vulnerability of Distributed
Learning in Byzantium, ICML 2018, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.robustness.krum import krum_scores, least_first
from medfl.robustness.rule import RobustRule
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor


class Bulyan(RobustRule):
    """Krum chooses n − 2f updates one by one, and each entry is a mean near their median.

    After each choice Krum is run again on those that are left, with as many neighbours as it takes
    of so many updates. Of the n − 2f values of an entry the n − 4f nearest to their median make
    the mean. Weights play no part.
    """

    least = (4, 2)
    least_word = "4f + 3 ≤ n"
    effect = "no weighted mean of F_i: clients far from the others count nothing in a round"

    def locate(self, updates: Updates, f: int) -> Tensor:
        """The mean (k,) near the median of the chosen updates."""
        chosen = updates.chosen(one_by_one(updates.squared_distances(), f))
        return mean_near_median(chosen, len(updates) - 4 * f)


def one_by_one(squared: Tensor, f: int) -> list[int]:
    """The n − 2f updates that Krum chooses one after the other, by their places among all n."""
    import torch

    left, chosen = list(range(len(squared))), []
    for _ in range(len(squared) - 2 * f):
        among = torch.tensor(left)
        best = int(least_first(krum_scores(squared[among][:, among], f))[0])
        chosen.append(left.pop(best))
    return chosen


def mean_near_median(updates: Updates, count: int) -> Tensor:
    """The mean (k,) of each entry's ``count`` values that are nearest to its median."""
    import torch

    found = torch.empty_like(updates.values[0])
    middle = len(updates) // 2
    for where, rows in updates.blocks():
        ordered = rows.sort(dim=0).values
        centre = ordered[middle]
        if len(updates) % 2 == 0:
            centre = (ordered[middle - 1] + centre) / 2
        nearest = (ordered - centre).abs().sort(dim=0, stable=True).indices[:count]
        found[where] = ordered.gather(0, nearest).mean(dim=0).to(found.dtype)
    return found
