"""Whether the files of a finished run are still those that were written."""

from __future__ import annotations

from pathlib import Path

from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.results import paths
from medfl.results.record import AGAIN
from medfl.results.schema import Record

# The configuration is known to the record by its meaning (`config_sha256`).
_OTHERS = (paths.ROUNDS, paths.CLIENTS, paths.MODEL, paths.PREDICTIONS)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each table, model and file of predictions of a run that is there, by name."""
    found = [name for name in _OTHERS if (folder / name).is_file()]
    return {name: sha256_file(folder / name) for name in found}


def is_known(folder: Path, name: str, record: Record) -> bool:
    """Whether a file of a run is the one that its record knows; false where it knows none."""
    try:
        return record.files.get(name) == sha256_file(folder / name)
    except OSError:
        return False


def check_file(folder: Path, name: str, record: Record) -> None:
    """Refuse a file of a run that is not the one that its record knows (``MedflError``)."""
    known = record.files.get(name)
    if known is not None and sha256_file(folder / name) != known:
        raise MedflError(
            f"{folder / name} is damaged or was edited: its SHA-256 is not the one that "
            f"{paths.RECORD} has. Put the right one back, or {AGAIN}"
        )
