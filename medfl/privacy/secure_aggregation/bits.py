"""How many bits coordinates and weights get in a run, where its settings leave that open."""

from __future__ import annotations

from typing import Any

from medfl.privacy.secure_aggregation.fixed_point import FixedPoint, widest_values

# Ring bits → bits of a weight, and its unit: whole numbers of samples, or fractions of them, too.
_WEIGHTS = {32: (12, 1.0), 64: (26, 2.0**-10)}


def fixed_point_of(params: Any, weighting: str, clients: int) -> FixedPoint:
    """How the numbers of a link are written.

    Args:
        params: the link's: ``bound``, ``ring_bits``, and ``weight_bits``, ``weight_unit`` and
            ``value_bits``, which may be None.
        weighting: how clients are weighted, a word of the configuration.
        clients: the most of one round.

    Raises:
        MedflError: sums could leave the ring.
    """
    bits, unit = _WEIGHTS[params.ring_bits]
    if weighting == "uniform" and params.ring_bits == 32:  # every weight is 1
        bits = 1
    bits, unit = params.weight_bits or bits, params.weight_unit or unit
    widest = max(widest_values(clients, bits, params.ring_bits), 2)
    return FixedPoint(
        params.bound, clients, params.value_bits or widest, bits, params.ring_bits, unit
    )
