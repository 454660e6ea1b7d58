"""Guesses on canaries, and the bounds that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medfl.privacy.audit.f_dp import f_dp_epsilon
from medfl.privacy.audit.one_run import one_run_epsilon


@dataclass(frozen=True)
class Guesses:
    """How many guesses were made on how many canaries, and how many of them are right.

    Attributes:
        canaries: m.
        made: r.
        right: v.
    """

    canaries: int
    made: int
    right: int

    def bounds(self, delta: float, significance: float) -> tuple[float, float]:
        """The bound on ε by the one-run theorem, and by the f-DP form, each at this level."""
        given = (self.canaries, self.made, self.right, delta, significance)
        return one_run_epsilon(*given), f_dp_epsilon(*given)


def all_right(canaries: int, share: float) -> Guesses:
    """The guesses of somebody who sees everything, as many as ``guess_members`` makes."""
    made = 2 * _each(canaries, share)
    return Guesses(canaries, made, made)


def guess_members(scores: NDArray[np.float64], share: float) -> NDArray[np.int8]:
    """1 for the canaries of the highest scores, −1 for those of the lowest, 0 for the others; (m,).

    Args:
        scores: (m,), higher where a canary seems to be in.
        share: of the canaries for which a guess is made, half of them on either side. It must be
            chosen before the scores are seen.
    """
    each = _each(len(scores), share)
    order = np.argsort(scores, kind="stable")
    found = np.zeros(len(scores), np.int8)
    found[order[:each]] = -1
    found[order[len(scores) - each :]] = 1
    return found


def judge_guesses(guessed: NDArray[np.int8], inside: NDArray[np.bool_]) -> Guesses:
    """Count the guesses (m,), 1, −1 or 0, and those that are right."""
    right = np.where(inside, guessed == 1, guessed == -1)
    return Guesses(len(guessed), int((guessed != 0).sum()), int(right.sum()))


def _each(canaries: int, share: float) -> int:
    return round(canaries * share / 2)
