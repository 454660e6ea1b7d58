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
    alone give, the rounds to a target, which were those of test accuracy, and the worst client and
    spread where clients with few test samples took part in them.
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
        **_fairness(record),
    }


FEW = 10  # test samples; a client with fewer of them decides nothing since schema 3


def _fairness(record: dict[str, Any]) -> dict[str, Any]:
    """Today's ``fairness`` of an older record, which counted every client with test samples."""
    old, clients = record.get("fairness"), record.get("clients")
    if not isinstance(old, dict) or not isinstance(clients, dict):
        return {}  # it is damaged, or says nothing
    sizes = {
        name: client["n_test"]
        for name, client in clients.items()
        if isinstance(client, dict) and type(client.get("n_test")) is int
    }
    old = {key: value for key, value in old.items() if key != "undefined"}
    new = {"metric": "accuracy", "min_test_samples": FEW}
    few = {name: size for name, size in sizes.items() if size < FEW}
    if any(few.values()):
        reason = "an earlier medfl counted clients with few test samples, too: train this run again"
        return {"fairness": new | {"reason": reason}}
    worst = {"worst_n_test": sizes.get(str(old.get("worst_client")))}
    return {"fairness": {**old, **new, **worst, "left_out": few}}


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
