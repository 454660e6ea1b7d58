"""How well a score tells members from others: ROC, and true positives where false ones are few.

At a false-positive rate f a number is only given from 10/f non-members on: below that, fewer than
ten of them decide it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medfl.metrics.inputs import Array
from medfl.metrics.interval import Proportion

Flags = NDArray[np.bool_]

FALSE_POSITIVES = 10
"""How many non-members must lie above a threshold, so that its rate means something."""
RATES = (0.001, 0.01)


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic.

    Attributes:
        fpr: (k,), share of non-members above each threshold, ascending from 0 to 1.
        tpr: (k,), share of members.
        auc: area under it; .5 says nothing.
        members: how many.
        others: how many non-members.
    """

    fpr: Array
    tpr: Array
    auc: float
    members: int
    others: int

    @property
    def lowest(self) -> float:
        """The smallest false-positive rate that so many non-members can show."""
        return FALSE_POSITIVES / self.others


@dataclass(frozen=True)
class Caught:
    """The share of members that is found at one false-positive rate.

    Attributes:
        rate: the false-positive rate asked for.
        value: true-positive rate; None where there are too few non-members.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    rate: float
    value: float | None
    low: float | None = None
    high: float | None = None


def roc(scores: Array, member: Flags) -> Roc:
    """The ROC of scores (n,), high for members; equal scores are passed together."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, sorted_member = scores[order], member[order]
    last = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    hits, false = np.cumsum(sorted_member)[last], np.cumsum(~sorted_member)[last]
    members, others = int(member.sum()), int((~member).sum())
    tpr = np.concatenate([[0.0], hits / members])
    fpr = np.concatenate([[0.0], false / others])
    return Roc(fpr, tpr, float(np.trapezoid(tpr, fpr)), members, others)


def caught(scores: Array, member: Flags, people: NDArray[np.int64], rate: float) -> Caught:
    """The share of members above the threshold that at most ``rate`` of the others exceed.

    Its interval is the exact one of Clopper and Pearson for as many independent samples as the
    members are worth: one person's images, and one image under several models, count for less.

    Args:
        scores: (n,), high for members.
        member: (n,).
        people: (n,), whose sample each is.
        rate: the false-positive rate.
    """
    others = np.sort(scores[~member])[::-1]
    if len(others) * rate < FALSE_POSITIVES * (1 - 1e-9):
        return Caught(rate, None)
    allowed = int(np.floor(len(others) * rate + 1e-9))
    found = scores[member] > others[allowed]  # at most `allowed` of the others lie above this one
    share = Proportion.of(found.astype(np.float64), people[member])
    return Caught(rate, share.value, *share.interval())
