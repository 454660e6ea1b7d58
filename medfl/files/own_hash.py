"""Records that hold the hash of themselves, so that a changed digit in one is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

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
    known = record.get(OWN_HASH)
    try:
        return _hash_of(_rest(record)) == known or known is None
    # Infinity, NaN, what is no JSON, and brackets in one another without end: no record holds them.
    except (ValueError, TypeError, RecursionError):
        return False


def _rest(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != OWN_HASH}


def _hash_of(rest: Mapping[str, Any]) -> str:
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
