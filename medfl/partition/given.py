"""Splits that a person has put where a grid looks. They are used as they are, and never written to.

A grid's own splits lie in folders that say how they are dealt (``medfl/partition/place.py``). What
lies above them, ``<splits>/<dataset>/<partition>/seed<k>.csv``, is a person's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medfl.config import SplitConfig, deciding
from medfl.errors import MedflError
from medfl.partition.place import sidecar
from medfl.partition.rows import read_rows


@dataclass(frozen=True)
class Chosen:
    """The file of a split that a grid uses.

    Attributes:
        path: the file.
        given: whether a person gave it; then nothing writes to it.
        passed: a person's file that is there and does not fit, or None.
        reason: why it does not.
    """

    path: Path
    given: bool = False
    passed: Path | None = None
    reason: str = ""


def choose(own: Path, clients: int | None, folds: SplitConfig) -> Chosen:
    """Choose between a grid's own split and a person's, which lies above the folder of the dealing.

    Args:
        own: the grid's own file, which need not exist: ``…/<partition>/<dealing>/seed<k>.csv``.
        clients: the number of clients that the grid wants; None where the data decide it.
        folds: the settings of the folds that the grid wants.

    Raises:
        MedflError: the person's file is malformed, or it fits and the grid's own is another one.
    """
    given = own.parent.parent / own.name
    if not given.is_file():
        return Chosen(own)
    status = given.stat()
    there = _clients(given, status.st_mtime_ns, status.st_size)
    if clients is not None and there != clients:
        return Chosen(own, passed=given, reason=f"it has {there} clients, and the grid {clients}")
    record = _record(given)
    wanted = {"partition": given.parent.name, "seed": int(given.stem.removeprefix("seed"))}
    for key, value in {**wanted, **deciding(folds)}.items():
        said = record.get("dealt", {}).get(key, record.get(key, value))
        if said != value:
            return Chosen(own, passed=given, reason=f"it has {key} {said}, and the grid {value}")
    if own.is_file() and own.read_bytes() != given.read_bytes():
        raise MedflError(
            f"{given} and {own} are two splits that both fit this grid: move one of them away "
            "(the grid makes and uses the second where the first is not there)."
        )
    return Chosen(given, given=True)


def notes(chosen: Iterable[Chosen]) -> list[str]:
    """Say in a line which files of persons are used, and in another which are passed over."""
    used = sorted({str(one.path) for one in chosen if one.given})
    passed = {str(one.passed): one.reason for one in chosen if one.passed}
    lines = []
    if used:
        lines.append(f"{_some(used)} used as given; medfl never writes there")
    if passed:
        first = min(passed)
        lines.append(f"{_some(sorted(passed))} passed over: {passed[first]}")
    return lines


def _some(paths: list[str]) -> str:
    if len(paths) == 1:
        return f"{paths[0]} is"
    return f"{paths[0]} and {len(paths) - 1} more splits are"


@cache  # all arms of a grid share a split
def _clients(path: Path, changed: int, size: int) -> int:
    """The number of clients of the file that has this date and size."""
    return read_rows(path).num_clients


def _record(path: Path) -> dict[str, Any]:
    """The record beside a split, or nothing."""
    try:
        record = json.loads(sidecar(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
