"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medfl.errors import MedflError
from medfl.files.writing import cannot_write

LOOKS = 10  # how often a lock that is held is tried again


class HeldError(Exception):
    """Another process holds the lock."""


def take_lock(path: Path, wait: bool = False, shared: bool = False) -> int | None:
    """Lock a file, which is made where it is missing, or a folder that is there.

    The lock is held until its descriptor is closed, at the latest when the process ends; a killed
    one leaves none. A process that is given the descriptor holds it too.

    Args:
        path: the file or folder.
        wait: whether to wait until it is free.
        shared: whether others may hold it too, if they share it as well.

    Returns:
        The descriptor; None on a file system that knows no such locks.

    Raises:
        HeldError: another process holds it.
    """
    try:
        lock = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # another user's file, which may be locked without writing to it
        lock = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(lock, kind | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        os.close(lock)
        raise HeldError(path) from error
    except OSError:
        os.close(lock)
        return None
    return lock


@contextmanager
def locked(folder: Path, problem: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made, for a block. It is removed if it stays empty.

    Raises:
        MedflError: another process holds it, as ``problem`` says; or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_soon(folder)
    except HeldError as error:
        raise MedflError(problem) from error
    except OSError as error:
        raise cannot_write(folder, error) or error from error
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
        if lock is not None:
            os.close(lock)


def take_soon(path: Path) -> int | None:
    """Lock as ``take_lock``, but try for a moment, for which ``is_locked`` may hold it to look."""
    for _ in range(LOOKS):
        with suppress(HeldError):
            return take_lock(path)
        time.sleep(0.02)
    return take_lock(path)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file or folder that is there."""
    try:
        lock = take_lock(path, shared=True)
    except HeldError:
        return True
    if lock is not None:
        os.close(lock)
    return False
