"""From the records of earlier medfls to today's, one step per schema number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _predictions(record: dict[str, Any]) -> dict[str, Any]:
    """1 → 2: runs keep their predictions, and older ones have none."""
    return {**record, "schema": 2, "predictions": None}


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _predictions}
"""The step from each older schema to the next one."""


def migrate(record: dict[str, Any], schema: int) -> dict[str, Any]:
    """A record of an older schema as one of ``schema``; ``KeyError`` where no step leads there."""
    while record["schema"] != schema:
        record = STEPS[record["schema"]](record)
    return record
