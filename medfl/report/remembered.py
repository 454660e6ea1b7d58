"""Remembers what is asked of the same results again and again, as what stands below tables is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from medfl.report.grid_results import GridResults

_Found = TypeVar("_Found")
_Asked = Callable[..., _Found]  # of GridResults, and of what can be a key


def remembered(function: _Asked[_Found]) -> _Asked[_Found]:
    """A function of results and of names that reads every run, and does so once for each of them.

    What it gives is shared by all who ask: it may not be changed.
    """
    known: WeakKeyDictionary[GridResults, dict[tuple[Hashable, ...], Any]] = WeakKeyDictionary()

    @wraps(function)
    def ask(results: GridResults, *names: Hashable) -> _Found:
        found = known.setdefault(results, {})
        if names not in found:
            found[names] = function(results, *names)
        answer: _Found = found[names]
        return answer

    return ask
