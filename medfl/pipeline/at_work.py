"""Who is at work where: a second start of a grid is refused before anything is touched.

A grid locks its results while it runs. What else it uses and is about to make (stores, splits) it
notes in Snakemake's folder, where the next start looks before it begins. Locks end with their
process, so nothing is left of one that was killed.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files import HeldError, is_locked, read_json, take_lock, take_soon
from medfl.files.regular import read_text

NOTES = Path(".snakemake", "medfl", "at-work")
LOCK = ".medfl.lock"  # in the folder of the results
STARTED = "MEDFL_STARTED"
"""Set for a Snakemake that `medfl benchmark` has started, which holds the locks for it."""
ALONE, BESIDE_OTHERS, WITHOUT_LOCKS = "alone", "beside others", "without locks"


@dataclass(frozen=True)
class Start:
    """A grid that was let in.

    Attributes:
        how: ``ALONE`` where no other grid is at work in this folder, else ``BESIDE_OTHERS``;
            ``WITHOUT_LOCKS`` where the file system has none, so that this is not known.
        locks: the descriptors of its locks. They are held while one process has them open.
    """

    how: str
    locks: tuple[int, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process that gets the locks that it was let in."""
        return {STARTED: self.how}

    def left_locks(self, folder: Path, output_dir: Path) -> Iterator[Path]:
        """The locks of Snakemake's that a killed start has left.

        Of others' files, which may be at work here, they are not. This grid holds its own results
        alone, so that whoever locked a file in them has ended.

        Args:
            folder: Snakemake's ``locks``, of files each of which names the files that it locks.
            output_dir: the folder of this grid's results.
        """
        for path in folder.glob("*.lock") if self.how != WITHOUT_LOCKS else ():
            with suppress(OSError):
                names = map(Path, read_text(path, errors="replace").splitlines())
                if self.how == ALONE or any(one.is_relative_to(output_dir) for one in names):
                    yield path

    def leave(self) -> None:
        """Give the locks up."""
        for lock in self.locks:
            os.close(lock)


def start(
    output_dir: Path,
    makes: Iterable[str],
    uses: Iterable[str],
    folders: Iterable[Path],
    grid: Path | None = None,
) -> Start:
    """Let a grid in, or refuse it; nothing is touched before.

    Args:
        output_dir: the folder of its results.
        makes: files outside of it that are not there yet.
        uses: all files outside of it that it makes or reads.
        folders: those of runs that are not finished, which an earlier start may still train.
        grid: its file, which it notes in its results for who looks at them.

    Raises:
        MedflError: another grid writes to the same results, makes what this one uses, or uses what
            this one makes; or a run is being trained.
    """
    if os.environ.get(STARTED):
        return Start(os.environ[STARTED])
    makes, uses = set(makes), set(uses)
    for folder in folders:
        if is_locked(folder):
            raise MedflError(
                f"{folder} is being trained by another process, perhaps of a grid that was killed: "
                "wait until it has ended, or end it. Then give the same command again."
            )
    NOTES.mkdir(parents=True, exist_ok=True)
    turn = take_lock(NOTES / ".turn", wait=True)  # two that start at once see each other
    try:
        others = list(_others())
        for other in others:
            shared = (makes & set(other["uses"])) | (uses & set(other["makes"]))
            if shared and Path(other["results"]) != output_dir.absolute():
                raise MedflError(
                    f"another grid is at work in {other['results']} ({other['who']}), and both "
                    f"need {min(shared)}, which one of them has to make: wait until that grid has "
                    "ended, then give the same command again."
                )
        output_dir.mkdir(parents=True, exist_ok=True)
        results = output_dir / LOCK
        lock = _take(results, f"another grid is at work in {output_dir}")
        note = Path(tempfile.mkstemp(suffix=".json", dir=NOTES)[1])
        mine = take_lock(note)
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        who = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
        content = {
            "who": who,
            "grid": str(grid.absolute()) if grid else "",
            "results": str(output_dir.absolute()),
            "makes": sorted(makes),
            "uses": sorted(uses),
        }
        note.chmod(0o644)
        for path in (note, results):
            with suppress(PermissionError):  # another user's file, of a folder that is shared
                path.write_text(json.dumps(content), encoding="utf-8")
    finally:
        if turn is not None:
            os.close(turn)
    held = tuple(one for one in (lock, mine) if one is not None)
    known = BESIDE_OTHERS if others else ALONE
    return Start(known if len(held) == 2 else WITHOUT_LOCKS, locks=held)


def _take(path: Path, problem: str) -> int | None:
    try:
        return take_soon(path)
    except HeldError as error:
        who = _read(path).get("who", "its process is not known")
        raise MedflError(
            f"{problem} ({who}): wait until it has ended, or choose another folder for the results."
        ) from error


def _others() -> Iterator[dict[str, Any]]:
    """The notes of grids that are at work; those of others are deleted."""
    for path in NOTES.glob("*.json"):
        if is_locked(path):
            yield {"who": "", "results": "", "makes": "", "uses": "", **_read(path)}
        else:
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> dict[str, Any]:
    return read_json(path)
