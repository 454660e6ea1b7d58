"""What a person's own link says: who takes part, what travelled besides, and what it promises."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from medfl.errors import MedflError
from medfl.own_class import check_said, check_type

_MOST = 2**53  # bytes: the largest whole number that readers of tables take exactly


def is_whole_number(number: Any) -> bool:
    """Whether it is a whole number, of Python or NumPy; True is none."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def chosen_clients(chosen: Any, clients: list[int], where: str) -> list[int]:
    """Those of ``clients`` that a link lets take part, ascending."""
    check_type(chosen, list, where, "a list of clients' ids")
    found = [int(one) for one in chosen if is_whole_number(one)]
    if len(found) < len(chosen):
        odd = next(one for one in chosen if not is_whole_number(one))
        check_type(odd, (), f"{where}, in its list,", f"a whole number, one of the ids {clients}")
    if len(set(found)) < len(found) or not set(found) <= set(clients):
        raise MedflError(
            f"{where} gave {found}: it must give each client at most once, and none but those of "
            f"{clients}."
        )
    return sorted(found)


def check_traffic(given: Any, where: str) -> tuple[int, int]:
    """The bytes up and down that a link gives, two whole numbers."""
    needed = "a pair of whole numbers of 0 or more, the bytes up and down"
    if not isinstance(given, tuple | list) or len(given) != 2:
        check_type(given, (), where, needed)
    for one in given:
        if not is_whole_number(one):
            check_type(one, (), where, needed)
        if not 0 <= one < _MOST:
            shown = f"{one:,}" if abs(one) < _MOST else "2^53 or more"
            raise MedflError(f"{where} gave {shown} bytes, but needed is {needed}.")
    up, down = given
    return int(up), int(down)


def check_privacy(given: Any, where: str) -> None:
    """Refuse a promise that the record cannot hold, or of which nobody knows what it means."""
    check_said(given, where)
    for name in ("mechanism", "unit"):
        if given.get(name) is not None:
            check_type(given[name], str, f"{where}, as `{name}`,", "a text, or None")
    for name, highest in (("epsilon", math.inf), ("delta", 1.0)):
        number = given.get(name)
        if number is None:
            continue
        limits = "0 or more" if highest == math.inf else "from 0 to 1"
        if not isinstance(number, Real) or isinstance(number, bool):
            check_type(number, (), f"{where}, as `{name}`,", f"a number, {limits}, or None")
        if not 0 <= number <= highest:
            raise MedflError(f"{where} gave {name} {number}: give a number, {limits}, or None.")
