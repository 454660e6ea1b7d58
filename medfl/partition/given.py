"""Splits that a person has put where a grid looks. They are used as they are, and never written to.

A grid's own splits lie in folders that say how they are dealt (``medfl/partition/place.py``). What
lies above them, ``<splits>/<dataset>/<partition>/seed<k>.csv``, is a person's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medfl.config import SplitConfig
from medfl.errors import MedflError
from medfl.files import read_json, sha256_file
from medfl.files.regular import lack, read_bytes
from medfl.partition.place import DEALING, sidecar
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
    reason = _misfit(given, clients, folds) if given.is_file() else ""
    if not given.is_file() or reason:
        check_ours(own)
        _check_dealt(own, folds)
        return Chosen(own, passed=given if reason else None, reason=reason)
    if own.is_file() and read_bytes(own) != read_bytes(given):
        raise MedflError(
            f"{given} and {own} are two splits that both fit this grid: move one of them away "
            "(the grid makes and uses the second where the first is not there)."
        )
    return Chosen(given, given=True)


def _misfit(given: Path, clients: int | None, folds: SplitConfig) -> str:
    """Why a person's file does not fit; empty where it does."""
    there = _clients(given)
    if clients is not None and there != clients:
        return f"it has {there} clients, and the grid {clients}"
    record = _record(given)
    wanted = {"partition": given.parent.name, "seed": int(given.stem.removeprefix("seed"))}
    others = [(key, record.get(key, value), value) for key, value in wanted.items()]
    for key, said, value in [*others, *_otherwise(record, folds)]:
        if said != value:
            return f"it has {key} {said}, and the grid {value}"
    return ""


def check_pattern(pattern: str, datasets: Sequence[str], partitions: Sequence[str]) -> None:
    """Refuse a ``split_file`` that names what there is not, or one file for two splits.

    All seeds may share a file: then they differ in what they train, and not in who holds what.
    """
    found = set(re.findall(r"\{([^{}]*)\}", pattern))
    left = re.sub(r"\{(dataset|partition|seed)\}", "", pattern)
    if "{" in left or "}" in left:
        raise MedflError(
            "split_file: only {dataset}, {partition} and {seed} may stand in braces in its path."
        )
    for key, words in (("dataset", datasets), ("partition", partitions)):
        if len(words) > 1 and key not in found:
            raise MedflError(
                f"split_file: {{{key}}} must stand in its path, because the grid has several: "
                f"{', '.join(words)}."
            )


def named(pattern: str, own: Path, clients: int | None) -> Chosen:
    """The file that a grid names by ``split_file``.

    Args:
        pattern: a path in which {dataset}, {partition} and {seed} may stand.
        own: as in ``choose``.
        clients: as in ``choose``.

    Raises:
        MedflError: there is no such file, it lies where medfl writes its own splits, is malformed,
            or has another number of clients.
    """
    partition, seed = own.parents[1].name, own.stem.removeprefix("seed")
    words = {"dataset": own.parents[2].name, "partition": partition, "seed": seed}
    path = Path(pattern.format(**words))
    if not path.is_file():
        raise MedflError(f"split_file: {path} {lack(path)}.")
    root = own.parents[3].resolve()
    if path.resolve().is_relative_to(root) and DEALING.match(path.resolve().parent.name):
        raise MedflError(f"split_file: {path} lies where medfl writes its own splits: move it.")
    there = _clients(path)
    if clients is not None and there != clients:
        raise MedflError(
            f"split_file: {path} has {there} clients, but the grid has num_clients {clients}: set "
            f"num_clients to {there}."
        )
    return Chosen(path, given=True)


def check_ours(path: Path) -> None:
    """Refuse to write to a split's file that medfl has not made, or that was edited since.

    Raises:
        MedflError: the file is there, and its record is missing or of another split.
    """
    if not path.is_file():
        return
    there, record = sidecar(path).is_file(), _record(path)
    if there and record.get("split_sha256") in (None, sha256_file(path)):
        return
    what = "edited" if there else "not made by medfl"
    raise MedflError(
        f"{path} was {what}, and medfl would write there: to use it, move it to another place and "
        "name it by `split_file` or `--split`; to have one made, delete it."
    )


def _check_dealt(own: Path, folds: SplitConfig) -> None:
    """Refuse a grid's own split that was dealt in another way than its place says."""
    for key, said, value in _otherwise(_record(own), folds) if own.is_file() else ():
        raise MedflError(
            f"{own} was dealt with {key} {said}, and the grid that looks there has {value}: delete "
            "it, and it is made again; or move it to another place."
        )


def _otherwise(record: dict[str, Any], folds: SplitConfig) -> list[tuple[str, Any, Any]]:
    """The fold settings in which a split differs, as far as its record tells: name, its, ours."""
    dealt = record.get("dealt")
    if not isinstance(dealt, dict):
        return []
    # What is left out there has its default: `deciding` leaves nothing else out.
    pairs = [(key, dealt.get(key, usual)) for key, usual in SplitConfig().model_dump().items()]
    return [(key, said, getattr(folds, key)) for key, said in pairs if said != getattr(folds, key)]


def announce(chosen: Iterable[Chosen]) -> list[str]:
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


def _clients(path: Path) -> int:
    """The number of clients of a split's file."""
    status = path.stat()
    return _clients_at(path, status.st_mtime_ns, status.st_size)


@cache  # all arms of a grid share a split
def _clients_at(path: Path, changed: int, size: int) -> int:
    return read_rows(path).num_clients


def _record(path: Path) -> dict[str, Any]:
    """The record beside a split, or nothing."""
    return read_json(sidecar(path))
