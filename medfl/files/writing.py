"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import csv
import errno
import fcntl
import glob
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from medfl.errors import MedflError
from medfl.stopping import held

# These errors are about the place: only others may write there, or a folder stands where a file is
# to be, or a file where a folder is to be.
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_NO_PLACE |= {errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTEMPTY}

_OLD = "old-"  # what stands before the name of a folder that is being replaced

_open: set[Path] = set()  # folders of this process in which something is being written


@contextmanager
def atomic_path(target: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    Works for a file and for a directory (create either at the path given). On any error the
    temporary is removed and ``target`` is left as it was. A full disk and a place that is forbidden
    or impossible, such as that of a device, are a ``MedflError``.

    Args:
        target: the file or directory.
        durable: whether all of it is on the disk before it is renamed, so that a loss of power
            leaves the old one or the new one, and no file of zeros.
    """
    target = Path(target)
    if target.name in ("", ".."):
        raise MedflError(f"`{target}` names no file that could be written: give a file's path.")
    if _is_device(target):  # `/dev/null` would be a file from then on, for every program
        raise MedflError(f"{target} is a device, and no place for a file: name another one.")
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
        if durable:
            _to_disk(temporary)
        with held():
            _rename(temporary, target)
        if durable:
            _sync(target.parent)
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


def _is_device(path: Path) -> bool:
    try:
        kind = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(kind) or stat.S_ISBLK(kind)


def _rename(temporary: Path, target: Path) -> None:
    if not (temporary.is_dir() and target.is_dir()):
        os.replace(temporary, target)
        return
    # A directory cannot be renamed over a full one: move the old one aside first.
    old = temporary.parent / f"{_OLD}{target.name}"
    os.replace(target, old)
    try:
        os.replace(temporary, target)
    except OSError:
        os.replace(old, target)
        raise


def _to_disk(path: Path) -> None:
    """Wait until a file, or all that is in a folder, is on the disk."""
    if path.is_dir():
        for part in path.iterdir():
            _to_disk(part)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems cannot do so with folders
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


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
                    # It was killed between two renames: what stood there before comes back.
                    before = old / f"{_OLD}{target.name}"
                    if before.exists() and not target.exists():
                        os.replace(before, target)
                    shutil.rmtree(old)
                finally:
                    os.close(lock)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    lock = os.open(scratch, os.O_RDONLY)
    with suppress(OSError):  # a file system without such locks: leftovers are left alone
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return scratch, lock


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = False) -> None:
    """Write ``text`` to ``path`` (UTF-8), atomically."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any, *, durable: bool = False) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n", durable=durable)


def write_yaml(path: str | os.PathLike[str], value: Any, first_line: str = "") -> None:
    """Write ``value`` as YAML in the order of its keys, atomically, below a comment if given."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    write_text(path, f"{first_line}\n{text}" if first_line else text)


def write_csv(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    durable: bool = False,
) -> None:
    """Write ``rows`` as CSV under ``columns``, atomically; a missing value is an empty cell."""
    with (
        atomic_path(path, durable=durable) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
