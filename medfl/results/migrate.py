"""Brings records of earlier versions of medfl to today's schema, one step per schema number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _predictions(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 → 2: runs keep their predictions since then, and older runs have none."""
    return {**record, "schema": 2, "predictions": None}


def _two_questions(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 → 3: each arm answers for own patients and for everyone, and says how.

    ``test`` was the answer for own patients of personal arms, and that for everyone of local ones.
    What an older run did not measure is None: the one of these that it lacks, what class shares
    alone give, and the rounds to a target, which were those of test accuracy.
    """
    evaluated = record.get("evaluated")
    by = {"global": "server", "local": "clients"}.get(str(evaluated))
    cost = record.get("communication")
    if isinstance(cost, dict):
        cost = {**cost, "target": None, "rounds_to_target": None, "bytes_to_target": None}
    return {
        **record,
        "schema": 3,
        "everyone_by": by,
        "pooled": record.get("algorithm") == "centralized",
        "primary": "balanced_accuracy",  # by which the best round was chosen
        "last": _moment(record.get("last"), evaluated),
        "best": _moment(record.get("best"), evaluated),
        **({} if cost is None else {"communication": cost}),
    }


def _moment(moment: dict[str, Any] | None, evaluated: str | None) -> dict[str, Any] | None:
    if not isinstance(moment, dict):
        return moment
    own = moment.get("personal") or moment.get("test")
    new = {key: value for key, value in moment.items() if key != "personal"}
    if evaluated == "local":  # its validation metrics were those for everyone, too
        return {**new, "val": None, "test": own, "everyone": moment.get("test")}
    if evaluated == "personal":
        return {**new, "test": own, "everyone": None}
    return {**new, "everyone": moment.get("test")}


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _predictions, 2: _two_questions}
"""The step from each older schema to the next one."""


def migrate(record: dict[str, Any], schema: int) -> dict[str, Any]:
    """Bring a record of an older schema to ``schema``; ``KeyError`` where a step is missing."""
    while record["schema"] != schema:
        record = STEPS[record["schema"]](record)
    return record
