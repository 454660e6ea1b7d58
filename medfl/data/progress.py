"""What an unfinished preparation leaves on the disk, and whether another one may go on with it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from medfl.errors import MedflError


@contextmanager
def alone(folder: Path, path: Path) -> Iterator[None]:
    """Make the folder of what is half done and hold its lock.

    Args:
        folder: to make and to lock; another process that holds it is a ``MedflError``.
        path: what is made there, for the message.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise MedflError(
                    f"another process is preparing {path} just now: wait for it, or stop it first."
                ) from error
            except OSError:  # a file system without such locks
                pass
            # Another process may have finished, and removed the folder, since we opened the file.
            ours = False
            with suppress(FileNotFoundError):
                ours = os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat())
            if ours:
                yield
                return


def parse(line: str) -> tuple[str, list[int], str | None, str] | None:
    """Digest, stamp, reason and size of one image that is done; None for anything else.

    A reason says why there is no image; ``None`` where there is one.
    """
    try:
        digest, stamp, reason, size = json.loads(line)
    except (ValueError, TypeError):
        return None
    sound = all(isinstance(word, str) for word in (digest, size)) and isinstance(stamp, list)
    return (digest, stamp, reason, size) if sound and isinstance(reason, str | None) else None


def files_of(source: Any) -> Iterator[Path]:
    """The files among a source: a path, or tuples of them."""
    if isinstance(source, Path):
        yield source
    elif isinstance(source, tuple | list):
        for part in source:
            yield from files_of(part)


def stamp_of(source: Any) -> list[int]:
    """Sizes and times of a source's files: whether they are what was decoded."""
    stamps = []
    for file in files_of(source):
        try:
            stat = file.stat()
            stamps += [stat.st_size, stat.st_mtime_ns]
        except OSError:
            stamps += [-1, -1]
    return stamps
