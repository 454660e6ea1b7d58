"""Which sums have been revealed: two of the same global model can give one client away."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction

_Row = dict[int, Fraction]


class ReleasedSums:
    """The sums that a client has helped to reveal, by the global model of their round.

    If every client sends the same update again for the same global model, then sums over different
    clients can be subtracted from each other: A + B + C less A + B is C. Here the sums of one model
    are kept in reduced echelon form, which shows whether any combination of them, and not only a
    difference of two, is a single client's update. Where c clients collude with the server, their
    updates are known to it. So no combination of c + 1 clients or fewer may remain either: of the
    combinations, the rows of that form and all differences of two sums are looked at.
    """

    def __init__(self) -> None:
        self._rows: dict[bytes, list[_Row]] = {}
        self._sums: dict[bytes, set[frozenset[int]]] = {}

    def objection(self, model: bytes, survivors: Collection[int], colluding: int = 0) -> str | None:
        """Why the sum over ``survivors`` may not be revealed for this global model, if so.

        Args:
            model: the hash of what the clients received.
            survivors: who is in the sum.
            colluding: c, how many of the clients may collude with the server.
        """
        left: list[Collection[int]] = [*_with(self._rows.get(model, []), survivors)]
        left += [known ^ frozenset(survivors) for known in self._sums.get(model, set())]
        few = sorted((sorted(one) for one in left if 0 < len(one) <= 1 + colluding), key=len)
        if not few:
            return None
        known = "with the sums of the same global model that are known it would give the update of "
        if len(few[0]) == 1:
            return f"{known}client {few[0][0]} alone"
        names = ", ".join(map(str, few[0]))
        return f"{known}one of clients {names} alone, if the others of them collude with the server"

    def add(self, model: bytes, survivors: Collection[int]) -> None:
        """Remember a sum that was revealed."""
        self._rows[model] = _with(self._rows.get(model, []), survivors)
        self._sums.setdefault(model, set()).add(frozenset(survivors))


def _with(rows: Iterable[_Row], survivors: Collection[int]) -> list[_Row]:
    """The reduced row echelon form of ``rows`` (in that form already) and one sum more."""
    rest: _Row = dict.fromkeys(survivors, Fraction(1))
    kept = [dict(row) for row in rows]
    for row in kept:
        _subtract(rest, row, rest.get(_pivot(row), Fraction(0)))
    if not rest:
        return kept
    pivot = _pivot(rest)
    scaled = rest if rest[pivot] == 1 else {k: value / rest[pivot] for k, value in rest.items()}
    for row in kept:
        _subtract(row, scaled, row.get(pivot, Fraction(0)))
    return [*kept, scaled]


def _pivot(row: _Row) -> int:
    return min(row)


def _subtract(row: _Row, other: _Row, factor: Fraction) -> None:
    """``row`` less ``factor`` times ``other``, in place."""
    if not factor:
        return
    for client, value in other.items():
        left = row.get(client, Fraction(0)) - factor * value
        if left:
            row[client] = left
        else:
            row.pop(client, None)
