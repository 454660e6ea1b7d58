"""What people hand over from Python: of the right type, or refused in one sentence.

Settings of run files are checked as they are read; those of public classes are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.sealed.model_hash import HASH_BYTES

# Of Python or of NumPy. True and False, which Python takes for 1 and 0, are no numbers.
_KINDS: dict[str, tuple[type, ...]] = {
    "a whole number": (Integral,),
    "a number": (Real,),
    "True or False": (bool, np.bool_),
    "bytes": (bytes,),
}


def check_whole(where: str, **given: Any) -> None:
    """Refuse what is no whole number (``MedflError``)."""
    _check(where, "a whole number", given)


def check_number(where: str, **given: Any) -> None:
    """Refuse what is no number, which NaN is (``MedflError``)."""
    _check(where, "a number", given)


def check_flag(where: str, **given: Any) -> None:
    """Refuse what is neither True nor False (``MedflError``)."""
    _check(where, "True or False", given)


def check_bytes(where: str, **given: Any) -> None:
    """Refuse what is not bytes (``MedflError``)."""
    _check(where, "bytes", given)


def check_secret(where: str, **given: Any) -> None:
    """Refuse what is not bytes, without quoting it (``MedflError``)."""
    for name, value in given.items():
        if not isinstance(value, bytes):
            raise MedflError(f"{where}: {name} must be bytes, not of type {type(value).__name__}.")


def check_kind(where: str, kind: type, **given: Any) -> None:
    """Refuse what is of another class than ``kind`` (``MedflError``)."""
    for name, value in given.items():
        if not isinstance(value, kind):
            raise MedflError(f"{where}: {name} must be of {kind.__name__}, not {told_as(value)}.")


def check_context(where: str, context: Any) -> None:
    """Refuse what is not the 32 bytes that name a round (``MedflError``)."""
    check_bytes(where, context=context)
    if len(context) != HASH_BYTES:
        raise MedflError(f"{where}: context must have {HASH_BYTES} bytes, not {len(context)}.")


def check_clients(where: str, clients: Any) -> None:
    """Refuse what is no collection of clients' numbers, each there once (``MedflError``)."""
    try:
        numbers = None if isinstance(clients, str | bytes) else list(clients)
    except TypeError:
        numbers = None
    if numbers is None:
        raise MedflError(
            f"{where}: clients must be their numbers, such as range(5), not {told_as(clients)}."
        )
    for client in numbers:
        _check(where, "a whole number", {"each of clients": client})
    if len(set(numbers)) < len(numbers):
        raise MedflError(
            f"{where}: clients must be numbers, each there once, and are {sorted(numbers)}."
        )


def check_by_client(where: str, what: str, given: Any) -> None:
    """Refuse what is no mapping from clients' numbers to ``what`` they have (``MedflError``)."""
    if not isinstance(given, Mapping):
        raise MedflError(
            f"{where}: {what} must be a dictionary by client, such as {{0: …, 1: …}}, not "
            f"{told_as(given)}."
        )
    for client in given:
        _check(where, "a whole number", {f"each client of {what}": client})


def told_as(value: Any) -> str:
    """A value as messages quote it; long ones by their type."""
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    return f"of type {type(value).__name__}"


def _check(where: str, wanted: str, given: Mapping[str, Any]) -> None:
    kinds = _KINDS[wanted]
    for name, value in given.items():
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise MedflError(f"{where}: {name} must be {wanted}, not {told_as(value)}.")
