"""ε by Opacus' accountant of Rényi divergences, without the orders that cannot be the best.

Opacus sums a series for each order that is no whole number, and the more noise, the longer: a
search for much noise took hours. Where there is much noise, few of these orders can matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medfl.privacy.quiet_opacus import import_opacus

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SLACK = 1e-6  # far more than a divergence can be rounded below 0


def renyi_epsilon(
    noise: float, sampling_rate: float, steps: int, delta: float, orders: Sequence[float]
) -> float:
    """What Opacus gives for all ``orders``, to the bit: infinite where none has a bound.

    Whole orders come first. Another order α is looked at where it could do better: no divergence is
    below 0, so its ε is at least −log(αδ)/(α − 1) + log((α − 1)/α).
    """
    import numpy as np

    rdp = import_opacus("accountants.analysis.rdp")
    alphas = np.array(orders, dtype=float)
    found = np.full(len(alphas), np.nan)  # of which Opacus takes no notice

    def look_at(some: NDArray[np.bool_]) -> float:
        given = [order for order, chosen in zip(orders, some, strict=True) if chosen]
        if given:
            found[some] = rdp.compute_rdp(
                q=sampling_rate, noise_multiplier=noise, steps=steps, orders=given
            )
        epsilon, _ = rdp.get_privacy_spent(orders=orders, rdp=found, delta=delta)
        return float(epsilon)

    whole = alphas == np.floor(alphas)
    best = look_at(whole)
    least = np.log((alphas - 1) / alphas) - (np.log(delta) + np.log(alphas)) / (alphas - 1)
    return look_at(~whole & (least <= best + _SLACK))
