"""Which keys of a configuration decide a result, so that a run's fingerprint counts them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import BaseModel

# Marks for `Field(..., json_schema_extra=…)`; `deciding` reads them.
PLACE: dict[str, Any] = {"decides": False}  # a key that says where a run is computed, not what
INPUT: dict[str, Any] = {"decides": False}  # a key about the split's file: its content counts
KEPT: dict[str, Any] = {"decides": False}  # a key that says what a run keeps beside its numbers


def neutral(value: Any) -> dict[str, Any]:
    """Mark a new key: at ``value`` a run is the same as before the key existed."""
    return {"neutral": value}


def in_order(value: Any, dumped: Any) -> Any:
    """Sort the lists that pydantic has made of sets: their order is another in each process.

    Args:
        value: an object.
        dumped: the same with plain values that JSON knows.
    """
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        return {key: in_order(getattr(value, key, None), one) for key, one in dumped.items()}
    many = isinstance(value, dict | list | tuple | set | frozenset)
    if not many or not isinstance(dumped, dict | list) or len(value) != len(dumped):
        return dumped
    if isinstance(value, dict) and isinstance(dumped, dict):
        pairs = zip(value.values(), dumped.items(), strict=True)
        return {key: in_order(one, plain) for one, (key, plain) in pairs}
    found = [in_order(one, plain) for one, plain in zip(value, dumped, strict=True)]
    return sorted(found, key=json.dumps) if isinstance(value, set | frozenset) else found


def deciding(values: BaseModel) -> dict[str, Any]:
    """The keys of a configuration that decide a result, with plain values that JSON knows.

    Keys marked as ``PLACE`` or ``KEPT`` are left out. So are keys at their ``neutral`` value, and
    sections in which nothing is left: so results from before such a key existed stay valid.
    """
    return _deciding(type(values), values.model_dump(mode="json"))


def _deciding(kind: type[BaseModel], content: dict[str, Any]) -> dict[str, Any]:
    kept = dict(content)
    for name, section, marks in _special(kind):
        value = _deciding(section, content[name]) if section else content[name]
        same = "neutral" in marks and value == marks["neutral"]
        if same or not marks.get("decides", True) or (section and not value):
            del kept[name]
        else:
            kept[name] = value
    return kept


@cache  # to read `model_fields` for every run of a grid takes longer than to check the run
def _special(kind: type[BaseModel]) -> list[tuple[str, type[BaseModel] | None, dict[str, Any]]]:
    """Name, class of the section, and marks of each key that is a section or has marks."""
    found = []
    for name, field in kind.model_fields.items():
        inner, extra = field.annotation, field.json_schema_extra
        section = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
        marks = dict(extra) if isinstance(extra, dict) else {}
        if section or marks:
            found.append((name, section, marks))
    return found
