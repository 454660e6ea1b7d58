"""Updates as whole numbers whose norm is bounded after rounding. Kairouz, Liu and Steinke, The
Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation, ICML 2021,
section 4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medfl.privacy.draws import uniforms

if TYPE_CHECKING:
    import torch

_MORE = 1.01  # how much longer rounding may make the longest update


def largest_rounded(bound: float, entries: int) -> float:
    """The largest 2-norm, in steps, of a rounded update of norm ``bound`` with d ``entries``.

    Rounding is repeated until the norm is at most this. A single try succeeds with a probability
    of 1 − β or more; here β = e^−½, as in the paper, so that √(2 log(1/β)) = 1.
    """
    likely = bound**2 + entries / 4 + bound + math.sqrt(entries) / 2
    return min(bound + math.sqrt(entries), math.sqrt(likely))


def choose_grid(bound: float, entries: int) -> float:
    """The largest power of two as a step with which rounding adds 1 % to the bound at most."""
    step = 2.0 ** math.floor(math.log2(bound))
    while largest_rounded(bound / step, entries) > _MORE * bound / step:
        step /= 2
    return step


def rounded_within(
    values: NDArray[np.float64], largest: float, generator: torch.Generator | None
) -> NDArray[np.int64]:
    """``values`` (d,), in steps, rounded up or down at random until their norm is ``largest``.

    Up with the probability that makes the mean right, if it were not for the repetitions.
    """
    low = np.floor(values)
    part = values - low
    while True:
        drawn = low + (uniforms(len(values), generator).numpy() < part)
        if float(drawn @ drawn) <= largest**2:
            return drawn.astype(np.int64)
