"""Numbers as a person writes them, and values that YAML has made of other words.

YAML takes `yes` for true, `010` for 8, `1_000` for 1000, `12:30` for 750, `2024-01-30` for a day.
`medfl.files.read_yaml` leaves all but the first as the texts that they are. Where a number is
meant, both are refused here; Python would take true for 1 and `010` for 10.
"""

from __future__ import annotations

import re
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationInfo, field_validator

# `1e-3` too, which YAML takes for a text, because it has no point.
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
LARGEST = 10**18
"""No whole number that anybody means is larger; what is counted, and seeds, fit in 64 bits."""
MOST_ROUNDS, MOST_STEPS = 10**6, 10**7
"""More rounds, or steps and passes within one, would take years."""
NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Numbers(BaseModel):
    """A model that takes for a number only what is written as one."""

    @field_validator("*", mode="before")
    @classmethod
    def _are_plain(cls, value: Any, info: ValidationInfo) -> Any:
        kind = type(value)
        if kind is int:
            _refuse_huge(value)
        elif kind is not float:
            kinds = kinds_of(cls, info.field_name or "")
            if kinds & {int, float} and bool not in kinds:
                _check(value, words=not kinds <= {int, float, type(None)})
        return value


def _refuse_huge(value: int, where: str = "") -> None:
    if abs(value) > LARGEST:
        raise ValueError(f"{where}a number of at most {LARGEST:,} is meant")


def _check(value: Any, words: bool, where: str = "") -> None:
    if isinstance(value, bool):
        raise ValueError(
            f"{where}a number is meant, not true or false (YAML's yes, no, on and off)"
        )
    if isinstance(value, bytes):  # YAML's !!binary
        raise ValueError(f"{where}a number is meant, not bytes")
    if isinstance(value, str) and not (words or NUMBER.fullmatch(value)):
        raise ValueError(f"{where}write a number in plain digits, such as 10, 0.5 or 1e-3")
    if isinstance(value, str) and not words and WHOLE.fullmatch(value):
        # Python reads no whole number of 5,000 digits.
        _refuse_huge(int(value) if len(value) < 99 else 2 * LARGEST, where)
    if type(value) is int:
        _refuse_huge(value, where)
    if isinstance(value, list | tuple | set | frozenset):
        value = dict(enumerate(value))
    for key, item in value.items() if isinstance(value, dict) else ():
        _check(item, words, f"at {key}, {item!r}: ")


@cache
def kinds_of(section: type[BaseModel], name: str) -> set[Any]:
    """The types of the values that a field may hold, alone or in lists and mappings."""
    field = section.model_fields.get(name)
    return _leaves(field.annotation) if field else set()


def _leaves(annotation: Any) -> set[Any]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {type(value) for value in inner}
    if origin in (Annotated, dict):
        return _leaves(inner[origin is dict])
    if origin in (Union, UnionType, list, tuple, set, frozenset):
        return set[Any]().union(*(_leaves(one) for one in inner if one is not Ellipsis))
    return {annotation}
