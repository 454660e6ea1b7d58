"""A message's parts as one vector of the ring, and the sum of such vectors as totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medfl.chain import Message, Part, Total
from medfl.errors import MedflError
from medfl.privacy.sealed.fixed_point import FixedPoint
from medfl.privacy.sealed.ring import RingVector

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_OFF_GRID = 0.25  # of a step; what was a whole number of steps is off by rounding errors alone


class PartPoints(dict[str, FixedPoint]):
    """Part → how its numbers are written.

    Args:
        usual: of all parts that have no bound of their own.
        bounds: part → its own bound.
    """

    def __init__(self, usual: FixedPoint, bounds: Mapping[str, float]) -> None:
        super().__init__({name: replace(usual, bound=bound) for name, bound in bounds.items()})
        self.usual = usual

    def __missing__(self, name: str) -> FixedPoint:
        return self.usual


@dataclass(frozen=True)
class PartPlace:
    """Where a part lies in the vector, and what the server knows of it beforehand.

    Attributes:
        name: the part's.
        length: k; the vector has k + 1 entries for it, of which the last is the weight.
        base: (k,), what updates are measured from; None stands for zeros.
        like: a tensor of its type, on its device.
        grid: s, where the part is whole multiples of s already; else None.
    """

    name: str
    length: int
    base: Tensor | None
    like: Tensor
    grid: float | None


@dataclass(frozen=True)
class EncodedMessage:
    """A message's parts as whole numbers.

    Attributes:
        vector: all parts one after another, each with its weight behind it.
        places: where each lies.
        parts: the parts as the whole numbers have them: what the client sends in effect.
        clipped: share of the coordinates that were moved to the bound.
    """

    vector: RingVector
    places: tuple[PartPlace, ...]
    parts: dict[str, Part]
    clipped: float


def encode_parts(
    message: Message,
    points: Mapping[str, FixedPoint],
    stream: Callable[[str], torch.Generator],
) -> EncodedMessage:
    """Write a message's parts as whole numbers.

    Args:
        message: its parts hold finite values.
        points: part → how its numbers are written.
        stream: part → what decides the rounding of its coordinates.

    Raises:
        MedflError: a weight is out of range, or a public part is beyond its bound.
    """
    vectors, places, parts, outside, entries = [], [], {}, 0.0, 0
    for name, part in message.parts.items():
        point, update = points[name], part.update
        if part.grid is None:
            encoded = point.encode(update, part.weight, stream(name))
            vector, clipped = encoded.vector, encoded.clipped
        else:
            vector, clipped = _whole_multiples(name, part, point), 0.0
        if clipped and not part.private:
            raise MedflError(
                f"sealed sum: the public part `{name}` is beyond ± {point.bound:g}, and "
                f"it may not be clipped. Set its own bound: bounds: {{{name}: …}}."
            )
        place = PartPlace(name, update.numel(), part.base, part.value, part.grid)
        sent = _update_of(vector, place, point)
        parts[name] = part.with_update(sent, grid=part.grid)
        outside += clipped * place.length
        entries += place.length
        vectors.append(vector)
        places.append(place)
    share = outside / max(entries, 1)
    return EncodedMessage(np.concatenate(vectors), tuple(places), parts, share)


def decode_totals(
    total: RingVector, places: Sequence[PartPlace], points: Mapping[str, FixedPoint]
) -> dict[str, Total]:
    """What a sum of such vectors says: of each part Σ w v / Σ w, and Σ w."""
    totals, start = {}, 0
    for place in places:
        piece = total[start : start + place.length + 1]
        start += len(piece)
        update = _update_of(piece, place, points[place.name])
        mean = update if place.base is None else place.base + update
        _, weight = points[place.name].decode_integers(piece)
        totals[place.name] = Total(mean, weight, place.base)
    return totals


def _update_of(vector: RingVector, place: PartPlace, point: FixedPoint) -> Tensor:
    """The weighted mean of the updates in one vector or in a sum, (k,)."""
    import torch

    if place.grid is None:
        mean, _ = point.decode(vector)
    else:
        sums, weight = point.decode_integers(vector)
        mean = sums.astype(np.float64) * (place.grid * point.weight_unit / weight)
    return torch.from_numpy(mean).to(place.like.device, place.like.dtype)


def _whole_multiples(name: str, part: Part, point: FixedPoint) -> RingVector:
    """A part whose update is whole multiples of its grid, without another rounding."""
    if part.weight != point.weight_unit:
        raise MedflError(
            f"sealed sum: the part `{name}` has discrete noise, whose sum is not weighted: "
            "its weight must be one weight_unit for every client."
        )
    assert part.grid is not None
    steps = part.update.detach().double().cpu().numpy() / part.grid
    whole = np.rint(steps)
    if np.abs(steps - whole).max(initial=0.0) > _OFF_GRID:
        raise MedflError(
            f"sealed sum: the part `{name}` is not whole multiples of {part.grid:g}. A "
            "link behind the one that rounded it must have changed it."
        )
    return point.encode_integers(whole.astype(np.int64), part.weight)
