"""Records that hold the hash of themselves, so that a changed digit in one is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

OWN_HASH = "record_sha256"
"""The key of a record under which its hash stands."""


def own_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 of all that a JSON record says but of this hash, however its file is laid out."""
    # As it is read again: then all keys are texts.
    return _hash_of(json.loads(json.dumps(_rest(record), allow_nan=False)))


def is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a record that was read is what was written.

    One of an older medfl, which holds no hash, is, if it can be written again.
    """
    known, rest = record.get(OWN_HASH), _rest(record)
    # Quicker by far, and the same text, unless it has letters beyond ASCII, or such as 1e-05.
    with suppress(orjson.JSONEncodeError):
        if _digest(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)) == known:
            return True
    try:
        return _hash_of(rest) == known or known is None
    # Infinity, NaN, what is no JSON, and brackets in one another without end: no record holds them.
    except (ValueError, TypeError, RecursionError):
        return False


def _rest(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != OWN_HASH}


def _hash_of(rest: Mapping[str, Any]) -> str:
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _digest(text.encode())


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
