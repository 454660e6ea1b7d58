"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import csv
import errno
import fcntl
import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from medfl.errors import MedflError

# These errors are about the place: only others may write there, or a folder stands where a file is
# to be, or a file where a folder is to be.
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_NO_PLACE |= {errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTEMPTY}

_open: set[Path] = set()  # folders of this process in which something is being written


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    Works for a file and for a directory (create either at the path given). On any error the
    temporary is removed and ``target`` is left as it was. A full disk and a place that is forbidden
    or impossible are a ``MedflError``.
    """
    target = Path(target)
    if target.name in ("", ".."):
        raise MedflError(f"`{target}` names no file that could be written: give a file's path.")
    if not _open.isdisjoint(target.parents):  # part of a folder that appears as a whole
        yield target
        return
    scratch = lock = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch, lock = _scratch(target)
        _open.add(scratch)
        temporary = scratch / target.name
        yield temporary
        if temporary.is_dir() and target.is_dir():
            # A directory cannot be renamed over a full one: move the old one aside first.
            old = scratch / f"old-{target.name}"
            os.replace(target, old)
            try:
                os.replace(temporary, target)
            except OSError:
                os.replace(old, target)
                raise
        else:
            os.replace(temporary, target)
    except OSError as error:
        explained = cannot_write(target, error)
        if explained is None:
            raise
        raise explained from error
    finally:
        if scratch is not None:
            _open.discard(scratch)
            shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def cannot_write(target: Path, error: OSError) -> MedflError | None:
    """What a failed write means to a user; None where the error is not about the place."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MedflError(
            f"no space left while writing {target}: nothing of it was kept. "
            "Free some space or choose another output folder, then run the command again."
        )
    if error.errno in _NO_PLACE:
        return MedflError(f"cannot write {target} ({error.strerror}): choose another place for it.")
    return None


def _scratch(target: Path) -> tuple[Path, int]:
    """A folder beside ``target``, locked while we live; those of killed processes are removed."""
    for old in target.parent.glob(f".{glob.escape(target.name)}.????????"):
        # The lock of a killed process is free. One that was made just now may not be taken yet.
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > 1:
                lock = os.open(old, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(old)
                finally:
                    os.close(lock)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    lock = os.open(scratch, os.O_RDONLY)
    with suppress(OSError):  # a file system without such locks: leftovers are left alone
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return scratch, lock


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` (UTF-8), atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_yaml(path: str | os.PathLike[str], value: Any, first_line: str = "") -> None:
    """Write ``value`` as YAML in the order of its keys, atomically, below a comment if given."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    write_text(path, f"{first_line}\n{text}" if first_line else text)


def write_csv(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write ``rows`` as CSV under ``columns``, atomically; a missing value is an empty cell."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
