"""What an unfinished preparation leaves on the disk, for another one to go on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files import HeldError, parse_json, take_lock
from medfl.imaging.kinds import voxels_of


@contextmanager
def alone(folder: Path, path: Path) -> Iterator[None]:
    """Make the folder of unfinished work, and hold its lock while the block runs.

    Args:
        folder: the folder; it is a ``MedflError`` if another process holds its lock.
        path: what is made in it, for the message.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = take_lock(folder / "lock")
        except HeldError as error:
            raise MedflError(
                f"another process is preparing {path} just now: wait for it, or stop it first."
            ) from error
        if lock is None:  # a file system without such locks
            yield
            return
        try:
            # Another process may have finished, and removed the folder, since we opened the file.
            ours = False
            with suppress(FileNotFoundError):
                ours = os.path.samestat(os.fstat(lock), (folder / "lock").stat())
            if ours:
                yield
                return
        finally:
            os.close(lock)


@dataclass(frozen=True)
class Done:
    """What is noted of one source when it is done.

    Attributes:
        digest: SHA-256 of its files, one after another.
        stamp: their sizes and times.
        reason: why there is no image; None where there is one.
        size: how large the image is in its file.
        remarks: what decoding noticed.
        pixels: a hash of its pixels; empty where they are of one value.
    """

    digest: str
    stamp: list[int]
    reason: str | None = None
    size: str = ""
    remarks: list[str] = field(default_factory=list)
    pixels: str = ""

    @property
    def files(self) -> int:
        """How many files it has."""
        return len(self.stamp) // 2

    def line(self) -> str:
        """Write it as a line of JSON."""
        return json.dumps(list(vars(self).values())) + "\n"

    @classmethod
    def parse(cls, line: str) -> Done | None:
        """Read such a line; None for anything else."""
        try:
            done = cls(*parse_json(line))
        except (ValueError, TypeError):
            return None
        words = (done.digest, done.size, done.pixels, *done.remarks)
        sound = all(isinstance(word, str) for word in words)
        sound = sound and isinstance(done.stamp, list) and isinstance(done.reason, str | None)
        return done if sound else None


def files_of(source: Any) -> Iterator[Path]:
    """Give the files in a source, which is a path, or tuples of them, or no file.

    The voxels of a header (``.img``) follow it.
    """
    if isinstance(source, Path):
        yield source
        if (voxels := voxels_of(source)) is not None and voxels.is_file():
            yield voxels
    elif isinstance(source, tuple | list):
        for part in source:
            yield from files_of(part)


def is_files(source: Any) -> bool:
    """Whether a source is nothing but files, which any process can read for itself.

    An array is in memory already. A function of a person's own may read on from where another one
    has left an open file.
    """
    if isinstance(source, tuple | list):
        return all(map(is_files, source))
    return isinstance(source, Path)


def stamp_of(source: Any) -> list[int]:
    """Sizes and times of a source's files, which tell whether they are what was decoded."""
    stamps = []
    for file in files_of(source):
        try:
            stat = file.stat()
            stamps += [stat.st_size, stat.st_mtime_ns]
        except OSError:
            stamps += [-1, -1]
    return stamps
