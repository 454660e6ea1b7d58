"""ε of noised steps over Poisson samples, by the accountants of Opacus.

Neighbours are data sets of which one has one member more (add or remove one). The accountant of
Rényi divergences (Mironov, Talwar and Zhang, 2019) is quick and an upper bound; that of privacy
random variables (Gopi, Lee and Wutschitz, NeurIPS 2021) is tighter and takes about a second. Where
everyone takes part in every step, the exact formula of the Gaussian mechanism is used instead.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Literal

from medfl.errors import MedflError
from medfl.privacy.accounting.gaussian import gaussian_epsilon
from medfl.privacy.quiet_opacus import import_opacus

Accountant = Literal["rdp", "prv"]
RDP_ORDERS = (*(1 + x / 10 for x in range(1, 100)), *range(12, 64), 128, 256, 512, 1024)
"""Opacus' orders, and larger ones, which are the best where there is much noise."""


@lru_cache(maxsize=4096)
def epsilon_of(
    noise: float, sampling_rate: float, steps: int, delta: float, accountant: Accountant = "rdp"
) -> float:
    """ε after ``steps`` steps, of which each takes every member with the same probability.

    Args:
        noise: z, the noise's deviation divided by the bound on one member's contribution.
        sampling_rate: q, the probability with which a member is in a step's sample.
        steps: T, the steps taken with q and z.
        delta: δ.
        accountant: which bound is computed.

    Returns:
        ε; infinite without noise, and where the accountant finds no bound.

    Raises:
        MedflError: an argument is outside its range.
    """
    _check(noise, sampling_rate, delta)
    if steps <= 0 or sampling_rate == 0.0:
        return 0.0
    if noise == 0.0:
        return math.inf
    if sampling_rate == 1.0:
        return gaussian_epsilon(math.sqrt(steps) / noise, delta)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best order is the first or last: still a bound
        return (
            _prv(noise, sampling_rate, steps, delta)
            if accountant == "prv"
            else _rdp(noise, sampling_rate, steps, delta)
        )


def _rdp(noise: float, sampling_rate: float, steps: int, delta: float) -> float:
    rdp = import_opacus("accountants.analysis.rdp")
    spent = rdp.compute_rdp(q=sampling_rate, noise_multiplier=noise, steps=steps, orders=RDP_ORDERS)
    epsilon, _ = rdp.get_privacy_spent(orders=RDP_ORDERS, rdp=spent, delta=delta)
    return max(0.0, float(epsilon))


def _prv(noise: float, sampling_rate: float, steps: int, delta: float) -> float:
    accountant = import_opacus("accountants").PRVAccountant()
    accountant.history = [(noise, sampling_rate, steps)]
    try:
        epsilon = float(accountant.get_epsilon(delta=delta))
    except (RuntimeError, ValueError, OverflowError, MemoryError):
        return math.inf  # its grid does not reach so far
    return epsilon if math.isfinite(epsilon) else math.inf


def _check(noise: float, sampling_rate: float, delta: float) -> None:
    for value, name, good in (
        (noise, "the noise multiplier", 0.0 <= noise < math.inf),
        (sampling_rate, "the sampling rate", 0.0 <= sampling_rate <= 1.0),
        (delta, "δ", 0.0 < delta < 1.0),
    ):
        if not good:
            limits = "0 or more" if value is noise else "from 0 to 1"
            raise MedflError(f"{name} is {value:g}: it must be {limits}.")
