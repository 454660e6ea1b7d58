"""How many bits coordinates and weights get in a run, where its settings leave that open."""

from __future__ import annotations

from typing import Any

from medfl.errors import MedflError
from medfl.privacy.sealed.fixed_point import FixedPoint, widest_values

# Ring bits → bits of a weight, and its unit: whole numbers of samples, or fractions of them, too.
_WEIGHTS = {32: (12, 1.0), 64: (26, 2.0**-10)}


def fixed_point_of(
    params: Any, weighting: str, clients: int, ring_bits: int, room: int | None = None
) -> FixedPoint:
    """How the numbers of a link are written.

    Args:
        params: the link's: ``bound``, and ``weight_bits``, ``weight_unit`` and ``value_bits``,
            which may be None.
        weighting: how clients are weighted, a word of the configuration.
        clients: the most of one round.
        ring_bits: 32 or 64, in which a number is kept.
        room: bits that a sum may have, its sign among them; None for all of the ring.

    Raises:
        MedflError: sums could be larger than there is room for.
    """
    bits, unit = _WEIGHTS[ring_bits]
    if weighting == "uniform" and ring_bits == 32:  # every weight is 1
        bits = 1
    bits, unit = params.weight_bits or bits, params.weight_unit or unit
    room = ring_bits if room is None else min(room, ring_bits)
    widest = max(widest_values(clients, bits, room), 2)
    values = params.value_bits or widest
    point = FixedPoint(params.bound, clients, values, bits, ring_bits, unit)
    largest = clients * point.levels * (2**bits - 1)
    if largest >= 2 ** (room - 1):
        raise MedflError(
            f"fixed point: value_bits {values} + weight_bits {bits} are too many for sums of "
            f"{clients} clients, which have room for {room} bits in all: take fewer of one of them."
        )
    return point
