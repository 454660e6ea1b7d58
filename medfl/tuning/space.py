"""The points of a search space: first what is shipped, then a sequence that covers the space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from medfl.config import LARGEST, SearchRange
from medfl.errors import MedflError

DIGITS = 4  # significant ones of a value: what a person reads is what is trained
TRIES = 100  # places of the sequence for each point, of which small spaces take many twice

Values = dict[str, Any]


def points(
    space: Mapping[str, SearchRange | list[Any]], shipped: Mapping[str, Any], count: int
) -> list[Values]:
    """Different points of a search space: setting → value.

    The first is what is shipped. The others are those of Halton's sequence (Numerische Mathematik
    2, 1960) without its origin: 1/2, 1/4, 3/4 … of the first setting, 1/3, 2/3, 1/9 … of the
    second. More points begin with the same ones, so that none of them is trained again, and arms
    with one range of the first setting get values of it from one list. What comes twice is passed
    over.

    Args:
        space: what is searched.
        shipped: the value of each setting as it is shipped; where it is a whole number, so are all.
        count: how many points.

    Raises:
        MedflError: the space has fewer different points.
    """
    from scipy.stats import qmc  # most grids are not tuned, and need not wait for it

    found = [{key: shipped[key] for key in space}]
    sequence = qmc.Halton(len(space), scramble=False)
    sequence.fast_forward(1)
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        [place] = sequence.random(1).tolist()
        each = zip(space.items(), place, strict=True)
        values = {key: value_at(one, at, shipped[key]) for (key, one), at in each}
        if values not in found:
            found.append(values)
    if len(found) < count:
        raise MedflError(f"it has {len(found)} different points, and {count} are asked for")
    return found


def value_at(searched: SearchRange | list[Any], at: float, shipped: Any) -> Any:
    """The value at a part, from 0 to below 1, of a range or of a list.

    Args:
        searched: the range, or the list of values.
        at: which part.
        shipped: the value as it is shipped.
    """
    if isinstance(searched, list):
        return searched[int(at * len(searched))]
    low, high = range_ends(searched, shipped)
    if searched.scale == "log":
        value = math.exp(math.log(low) + at * (math.log(high) - math.log(low)))
    else:
        value = low + at * (high - low)
    return round(value) if isinstance(shipped, int) else float(f"{value:.{DIGITS}g}")


def range_ends(searched: SearchRange, shipped: Any) -> tuple[float, float]:
    """The least and the largest value of a range.

    Raises:
        MedflError: a bound, or what lies between them, is no number that can be computed with.
    """
    factor = shipped if searched.relative else 1
    low, high = searched.low * factor, searched.high * factor
    times = f", times the {shipped:g} that is shipped," if searched.relative else ""
    most = LARGEST if isinstance(shipped, int) else math.inf
    if not (math.isfinite(high - low) and high <= most and low >= -most):
        raise MedflError(f"from {searched.low:g} to {searched.high:g}{times} is too wide a range")
    if low <= 0 and searched.scale == "log":
        raise MedflError(f"low is {searched.low:g}{times} which is no number above 0: enlarge it")
    return low, high
