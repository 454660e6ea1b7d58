"""Numbers that enter a network's parameters, of which the parameters' precision must hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from medfl.errors import MedflError, said_by

SINGLE = 3.4028234663852886e38
"""The largest number of single precision, in which the built-in networks compute."""
TOO_LARGE = (
    "a number of the settings is beyond what the network's parameters can hold (in single "
    "precision 3.4e38): look for a rate, decay, strength or exponent of that size, and take a "
    "smaller one."
)
SUSPECT = 1e15  # such numbers are named where a product of several is what cannot be held
# So PyTorch begins to say it, and so Python says that a power is beyond double precision.
_OVERFLOW = re.compile(r"value cannot be converted to type|Numerical result out of range")


@dataclass(frozen=True)
class Held:
    """Marks a number of which parameters are multiplied by a power, or are filled with it.

    Attributes:
        power: which; 2 for a square, -1 for 1 divided by it.
    """

    power: int = 1

    def refused(self, value: float, most: float) -> str:
        """What of ``value`` is larger than ``most``, and how to mend it; empty where nothing is."""
        if self.power < 0:
            return "1 divided by it: take a larger one" if value < 1 / most else ""
        if abs(value) <= most ** (1 / self.power):
            return ""
        return f"{'it' if self.power == 1 else 'its square'}: take a smaller one"


Strength = Annotated[float, Held()]
"""A rate, a decay or a strength."""


def check_strengths(values: BaseModel, most: float, where: str) -> None:
    """Refuse a number that parameters cannot hold, before anything is trained.

    Args:
        values: a section, or an algorithm's parameters.
        most: the largest number that parameters hold.
        where: the keys that lead to it, with a point behind each.

    Raises:
        MedflError: names the key.
    """
    for name, marks in _marked(type(values)).items():
        for key, value in _numbers(name, getattr(values, name)):
            reasons = (mark.refused(value, most) for mark in marks)
            if reason := next(filter(None, reasons), ""):
                raise MedflError(
                    f"`{where}{key}` is {value:g}, and the network's parameters, which hold "
                    f"numbers up to {most:.2g}, cannot hold {reason}."
                )


def overflowed(error: BaseException) -> bool:
    """Whether an exception says that a number is beyond what parameters can hold."""
    if not isinstance(error, RuntimeError | OverflowError):
        return False
    return bool(_OVERFLOW.search(said_by(error)))


def large_numbers(content: Any, path: str = "") -> Iterator[str]:
    """The settings of a size that a product of several may grow beyond, by their keys."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from large_numbers(value, f"{path}.{key}" if path else str(key))
    elif isinstance(content, float) and abs(content) >= SUSPECT:
        yield f"`{path}` is {content:g}"


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a field, alone or by name, with their keys."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield f"{name}.{key}", one
    elif value is not None:
        yield name, value


@cache
def _marked(kind: type[BaseModel]) -> dict[str, list[Held]]:
    """The marks of each field that has some."""
    found = {}
    for name, field in kind.model_fields.items():
        own = [mark for mark in field.metadata if isinstance(mark, Held)]
        if marks := own + _marks(field.annotation):
            found[name] = marks
    return found


def _marks(annotation: Any) -> list[Held]:
    """The marks inside an annotation, as in ``Strength | None``."""
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return [mark for mark in inner if isinstance(mark, Held)]
    return [mark for one in inner for mark in _marks(one)]
