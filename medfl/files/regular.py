"""Reads ordinary files alone: who reads a pipe may wait for ever, and a device never ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

NO_FILE = "it is a pipe, a socket or a device, and no ordinary file"


def regular(path: str | os.PathLike[str], flags: int) -> int:
    """The ``opener`` of each ``open`` that reads what a user may have put there.

    Raises:
        OSError: what lies there is no ordinary file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ENXIO:  # what a socket says
            raise
        raise OSError(errno.EINVAL, NO_FILE, os.fspath(path)) from error
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, NO_FILE, os.fspath(path))


def lack(path: Path) -> str:
    """Why there is no file to be read at a path that is none, in words that follow its name."""
    try:
        os.close(regular(path, os.O_RDONLY))
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "cannot be read"


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a file; ``OSError`` where it is no ordinary one."""
    with open(path, encoding=encoding, errors=errors, opener=regular) as file:
        return file.read()


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file; ``OSError`` where it is no ordinary one."""
    with open(path, "rb", opener=regular) as file:
        return file.read()


def check_regular(path: Path) -> None:
    """Refuse what is no ordinary file, before a library opens it; a missing one it tells itself."""
    if path.exists():
        os.close(regular(path, os.O_RDONLY))
