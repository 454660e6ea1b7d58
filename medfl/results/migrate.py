"""Brings records of earlier versions of medfl to today's schema, one step per schema number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _predictions(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 → 2: runs keep their predictions since then, and older runs have none."""
    return {**record, "schema": 2, "predictions": None}


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _predictions}
"""The step from each older schema to the next one."""


def migrate(record: dict[str, Any], schema: int) -> dict[str, Any]:
    """Bring a record of an older schema to ``schema``; ``KeyError`` where a step is missing."""
    while record["schema"] != schema:
        record = STEPS[record["schema"]](record)
    return record
