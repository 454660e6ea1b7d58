"""ε of noised steps over Poisson samples, by the accountants of Opacus.

Neighbours are data sets of which one has one member more (add or remove one). The accountant of
Rényi divergences (Mironov, Talwar and Zhang, 2019) is quick and an upper bound; that of privacy
random variables (Gopi, Lee and Wutschitz, NeurIPS 2021) is tighter and takes about a second. Where
everyone takes part in every step, the exact formula of the Gaussian mechanism is used instead.
"""

from __future__ import annotations

import math
import warnings
from functools import cache, lru_cache
from typing import Any, Literal

from medfl.errors import MedflError
from medfl.privacy.accounting.gaussian import gaussian_epsilon
from medfl.privacy.accounting.renyi import renyi_epsilon
from medfl.privacy.quiet_opacus import import_opacus

Accountant = Literal["rdp", "prv"]
_ENDLESS = 2.0**20, 1e-3
"""Noise and rate at which accountants are as near their limit, where nothing is released, as they
come."""
RDP_ORDERS = (*(1 + x / 10 for x in range(1, 100)), *range(12, 64), 128, 256, 512, 1024)
"""Opacus' orders, and larger ones, which are the best where there is much noise."""


@lru_cache(maxsize=4096)
def epsilon_of(
    noise: float, sampling_rate: float, steps: int, delta: float, accountant: Accountant = "rdp"
) -> float:
    """ε after ``steps`` steps, of which each takes every member with the same probability.

    Args:
        noise: z, the noise's deviation divided by the bound on one member's contribution; infinite
            for the least ε that the accountant proves at all.
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
    if math.isinf(noise):
        noise, rate = _ENDLESS
        return epsilon_of(noise, min(rate, sampling_rate), 1, delta, accountant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best order is the first or last: still a bound
        return (
            _prv(noise, sampling_rate, steps, delta)
            if accountant == "prv"
            else _rdp(noise, sampling_rate, steps, delta)
        )


def _rdp(noise: float, sampling_rate: float, steps: int, delta: float) -> float:
    return max(0.0, renyi_epsilon(noise, sampling_rate, steps, delta, RDP_ORDERS))


def _prv(noise: float, sampling_rate: float, steps: int, delta: float) -> float:
    accountant = _prv_accountant()()
    accountant.history = [(noise, sampling_rate, steps)]
    try:
        epsilon = float(accountant.get_epsilon(delta=delta))
    except (RuntimeError, ValueError, ArithmeticError, MemoryError):
        return math.inf  # its grid does not reach so far
    return epsilon if math.isfinite(epsilon) else math.inf


@cache
def _prv_accountant() -> type[Any]:
    """Opacus' accountant, which takes Rényi divergences for the range of its grid as we do."""
    import numpy as np

    opacus = import_opacus("accountants.prv")
    base: Any = opacus.PRVAccountant
    orders = import_opacus("accountants").RDPAccountant.DEFAULT_ALPHAS

    class Accountant(base):  # type: ignore[misc]
        def _get_domain(
            self, prvs: list[Any], num_self_compositions: list[int], eps_error: float,
            delta_error: float,
        ) -> Any:  # fmt: skip
            (prv,), (steps,) = prvs, num_self_compositions
            given = prv.noise_multiplier, prv.sample_rate
            together = renyi_epsilon(*given, steps, delta_error / 4, orders)
            alone = renyi_epsilon(*given, 1, delta_error / (8 * steps), orders)
            width = max(together, alone, eps_error) + 3
            mesh = eps_error / np.sqrt(steps * np.log(12 / delta_error) / 2)
            return opacus.Domain.create_aligned(-width, width, mesh)

    return Accountant


def _check(noise: float, sampling_rate: float, delta: float) -> None:
    for value, name, good in (
        (noise, "the noise multiplier", noise >= 0.0),
        (sampling_rate, "the sampling rate", 0.0 <= sampling_rate <= 1.0),
        (delta, "δ", 0.0 < delta < 1.0),
    ):
        if not good:
            limits = "0 or more" if value is noise else "from 0 to 1"
            raise MedflError(f"{name} is {value:g}: it must be {limits}.")
