"""Numbers as integers of a ring, whose sums are exact and cannot wrap around.

A client's update v and weight w become ⌊w v/s⌉ and w, rounded at random so that the mean is right
(stochastic rounding). So the server gets Σ w v and Σ w, and nobody's weight by itself.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError
from medfl.privacy.sealed.given import check_number, check_whole
from medfl.privacy.sealed.ring import RingVector, apply_masks, ring_dtype

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 14  # entries that are worked on at a time, so that they stay in a core's own cache
_DOUBLE_BITS = 53
_WEIGHT_ERROR = 1e-3
_LEAST, _MOST = 1e-100, 1e100  # so that no scale is infinite, and none is 0


def widest_values(clients: int, weight_bits: int, ring_bits: int) -> int:
    """The most bits that a coordinate can have, so that no sum leaves the ring."""
    client_bits = (clients - 1).bit_length()  # ⌈log₂ n⌉
    return min(ring_bits - client_bits, _DOUBLE_BITS + 1) - weight_bits


@dataclass(frozen=True)
class Encoded:
    """An update as it goes into the ring.

    Attributes:
        vector: (d + 1,), the weighted update and, last, the weight.
        clipped: share of the d coordinates that were outside ± bound, and were moved to it.
    """

    vector: RingVector
    clipped: float


@dataclass(frozen=True)
class FixedPoint:
    """How updates and weights are written as whole numbers.

    No sum of ``clients`` encoded updates can leave the ring: n (2^(b_v − 1) − 1) (2^b_w − 1) is
    below 2^(ring_bits − 1), since b_v + b_w + log₂ n ≤ ring_bits.

    Attributes:
        bound: no coordinate of an update counts for more than this, in either direction.
        clients: n, the most clients that one sum has.
        value_bits: b_v, bits of one coordinate, its sign among them.
        weight_bits: b_w, bits of one weight: it is at most 2^b_w − 1 units.
        ring_bits: sums are modulo 2^ring_bits, 32 or 64.
        weight_unit: weights are rounded to multiples of it. 1 suits numbers of samples.

    Raises:
        MedflError: sums could leave the ring, or a number is out of its range.
    """

    bound: float
    clients: int
    value_bits: int = 16
    weight_bits: int = 12
    ring_bits: int = 32
    weight_unit: float = 1.0

    def __post_init__(self) -> None:
        check_number("fixed point", bound=self.bound, weight_unit=self.weight_unit)
        whole = ("clients", "value_bits", "weight_bits", "ring_bits")
        check_whole("fixed point", **{name: getattr(self, name) for name in whole})
        ring_dtype(self.ring_bits)
        for name in ("bound", "weight_unit"):
            if not _LEAST <= getattr(self, name) <= _MOST:  # NaN is refused, too
                raise MedflError(
                    f"fixed point: {name} must be a number from {_LEAST:g} to {_MOST:g}, not "
                    f"{getattr(self, name)}."
                )
        for name, least in (("clients", 1), ("value_bits", 2), ("weight_bits", 1)):
            if getattr(self, name) < least:
                raise MedflError(
                    f"fixed point: {name} must be at least {least}, not {getattr(self, name)}."
                )
        client_bits = (self.clients - 1).bit_length()
        needed = self.value_bits + self.weight_bits + client_bits
        if needed > self.ring_bits:
            left = self.ring_bits - self.weight_bits - client_bits
            raise MedflError(
                f"fixed point: sums may leave the ring. value_bits {self.value_bits} + "
                f"weight_bits {self.weight_bits} + {client_bits} for {self.clients} clients are "
                f"{needed}, and ring_bits is {self.ring_bits}. Take "
                + (f"value_bits: {left}, " if left >= 2 else "fewer weight_bits, ")
                + ("or ring_bits: 64." if self.ring_bits == 32 else "or fewer clients.")
            )
        if self.value_bits + self.weight_bits > _DOUBLE_BITS + 1:
            raise MedflError(
                f"fixed point: value_bits {self.value_bits} + weight_bits "
                f"{self.weight_bits} are more than the {_DOUBLE_BITS + 1} that a number of double "
                "precision can fill."
            )

    @property
    def levels(self) -> int:
        """The whole number that stands for ``bound`` where the weight is one unit."""
        return int(2 ** (self.value_bits - 1)) - 1

    @property
    def step(self) -> float:
        """s: what 1 stands for in a sum Σ w v whose weights are in units."""
        return self.bound / self.levels

    @property
    def largest_weight(self) -> float:
        """The largest weight that can be encoded."""
        return float(2**self.weight_bits - 1) * self.weight_unit

    @cached_property
    def largest_integer(self) -> int:
        """No sum leaves the ring if no client's whole number is larger than this in size."""
        return int(2 ** (self.ring_bits - 1) - 1) // self.clients

    def encode(
        self,
        update: torch.Tensor | NDArray[np.floating[Any]],
        weight: float,
        generator: torch.Generator | np.random.Generator,
    ) -> Encoded:
        """Write an update and its weight as integers of the ring.

        Args:
            update: (d,), on any device.
            weight: at least half a unit, and at most ``largest_weight``.
            generator: decides which way each coordinate is rounded: 32 bytes are drawn from it.

        Raises:
            MedflError: a coordinate is NaN or infinite, or the weight is out of its range.
        """
        values = _finite_vector(update)
        units = self._units(weight)
        limit = units * self.levels
        scale = limit / self.bound
        vector = np.empty(len(values) + 1, ring_dtype(self.ring_bits))
        signed = vector.view(f"<i{vector.itemsize}")
        outside = 0
        drawn = _uniform(len(values), generator)
        for start in range(0, len(values), _BLOCK):
            block = slice(start, start + _BLOCK)
            part = values[block].astype(np.float64)
            outside += int(np.count_nonzero(np.abs(part) > self.bound))
            np.clip(part, -self.bound, self.bound, out=part)
            part *= scale
            low = np.floor(part)
            part -= low
            low += drawn[block] < part * 2.0**32
            signed[:-1][block] = np.clip(low, -limit, limit, out=low)
        vector[-1] = units
        return Encoded(vector, outside / max(len(values), 1))

    def encode_integers(self, values: NDArray[np.integer[Any]], weight: float) -> RingVector:
        """Write whole numbers, such as a rounded update with integer noise, as they are.

        Args:
            values: (d,), which are not rounded, clipped or weighted any more.
            weight: as in ``encode``; it travels in the last entry.

        Raises:
            MedflError: a number is so large that the sum could leave the ring, or is none.
        """
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu" or values.ndim != 1:
            raise MedflError(
                "fixed point: what is encoded without rounding must be a NumPy vector of "
                "whole numbers."
            )
        limit = self.largest_integer
        if len(values) and not -limit <= int(values.min()) <= int(values.max()) <= limit:
            raise MedflError(
                f"fixed point: a whole number is above {limit} in size, so that the sum of "
                f"{self.clients} could leave the ring of {self.ring_bits} bits. Take a coarser "
                "grid, less noise, or ring_bits: 64."
            )
        vector = np.empty(len(values) + 1, ring_dtype(self.ring_bits))
        vector.view(f"<i{vector.itemsize}")[:-1] = values
        vector[-1] = self._units(weight)
        return vector

    def decode_integers(self, total: RingVector) -> tuple[NDArray[np.signedinteger[Any]], float]:
        """The sum of the whole numbers, (d,), and of the weights, from a sum of encoded vectors."""
        return total[:-1].view(f"<i{total.itemsize}"), int(total[-1]) * self.weight_unit

    def decode(self, total: RingVector) -> tuple[NDArray[np.float64], float]:
        """The weighted mean Σ w v / Σ w, (d,), and Σ w, from a sum of encoded updates."""
        sums, weight = self.decode_integers(total)
        if not weight:
            raise MedflError("fixed point: the weights of the sum are 0.")
        mean = sums.astype(np.float64)
        mean *= self.step * self.weight_unit / weight
        return mean, weight

    def _units(self, weight: float) -> int:
        """A weight in whole units. Errors do not say it, as it may be a hospital's size."""
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise MedflError(
                f"fixed point: a client's weight must be a number, not of type "
                f"{type(weight).__name__}."
            )
        units = round(weight / self.weight_unit) if math.isfinite(weight) else 0
        if units < 1:
            raise MedflError(
                "fixed point: a client's weight is below half a weight_unit "
                f"({self.weight_unit:g}), or no number. Take a smaller weight_unit."
            )
        if abs(units * self.weight_unit - weight) > _WEIGHT_ERROR * weight:
            raise MedflError(
                "fixed point: a client's weight would be rounded by more than "
                f"{_WEIGHT_ERROR:.1%}. Take a smaller weight_unit than {self.weight_unit:g}, and "
                "more weight_bits."
            )
        if units >= 2**self.weight_bits:
            raise MedflError(
                f"fixed point: a client's weight is above {self.largest_weight:g}, the "
                f"largest that {self.weight_bits} weight_bits hold. Take more weight_bits, or a "
                "larger weight_unit."
            )
        return units


def _finite_vector(update: Any) -> NDArray[np.floating[Any]]:
    """``update`` as a NumPy vector, if all of it is finite."""
    if hasattr(update, "detach"):
        with suppress(TypeError):  # of bfloat16 or a sparse tensor, which NumPy has not
            update = update.detach().cpu().numpy()
    if not isinstance(update, np.ndarray) or update.dtype.kind != "f" or update.ndim != 1:
        raise MedflError("fixed point: an update must be a vector of floating point.")
    if not np.isfinite(update).all():
        raise MedflError(
            "fixed point: an update has NaN or infinite coordinates. It is not sent: look "
            "why the training of this client diverged."
        )
    return update


def _uniform(length: int, generator: torch.Generator | np.random.Generator) -> RingVector:
    """Independent 32-bit numbers, (length,): a cipher's stream, whose key is drawn."""
    if isinstance(generator, np.random.Generator):
        key = generator.bytes(32)
    else:
        import torch

        drawn = torch.randint(0, 256, (32,), generator=generator, dtype=torch.uint8)
        key = bytes(drawn.tolist())
    numbers = np.zeros(length, ring_dtype(32))
    apply_masks(numbers, [key])
    return numbers
