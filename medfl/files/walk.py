"""All files below a folder, links followed; what is not taken is listed with the reason."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medfl.files.exclusions import Exclusion

# What macOS puts into archives, and what drives keep previews and deleted files in; small letters.
_DRIVE = "is what a drive keeps deleted files or its own in, and is not entered"
_DEBRIS = {
    "macosx": "is what macOS adds to archives, and is not entered",
    "@eadir": "is what a network drive adds, and is not entered",
    **dict.fromkeys(
        ("$recycle.bin", "#recycle", "@recycle", "#snapshot", "@snapshot", "lost+found"), _DRIVE
    ),
    "system volume information": _DRIVE,
}


@dataclass(frozen=True)
class Walk:
    """What lies below a folder, in no particular order.

    Attributes:
        files: ordinary files that are not hidden.
        broken: links to nothing (or to themselves), pipes, sockets and devices.
        passed: hidden files and folders, what systems add to archives and drives, and links to
            folders that are read under another name.
        closed: folders that this user may not read.
    """

    files: list[Path] = field(default_factory=list)
    broken: list[Exclusion] = field(default_factory=list)
    passed: list[Exclusion] = field(default_factory=list)
    closed: list[Exclusion] = field(default_factory=list)

    @property
    def left_out(self) -> list[Exclusion]:
        """All that is no file to be read."""
        return [*self.broken, *self.passed, *self.closed]


def walk(root: Path) -> Walk:
    """Look through ``root``, which must be a folder.

    Every folder is entered once, so loops of links end. Linked folders are entered after all
    others: a file is called by its own path where it lies in the tree itself.
    """
    found = Walk()
    seen: set[tuple[int, int]] = set()
    folders, linked = [root], list[tuple[int, Path]]()
    while folders or linked:
        folder = folders.pop() if folders else heapq.heappop(linked)[1]
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            reason = "is a link to a folder that is read elsewhere"
            found.passed.append(Exclusion(str(folder), reason))
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in _entries(folder, found):
            path = Path(entry.path)
            if entry.name.startswith("."):
                what = "folder, which is not entered" if _is_folder(entry) else "file"
                found.passed.append(Exclusion(str(path), f"is a hidden {what}"))
            elif not _is_folder(entry):
                if reason := _why_broken(entry):
                    found.broken.append(Exclusion(str(path), reason))
                else:
                    found.files.append(path)
            elif reason := _DEBRIS.get(entry.name.casefold().strip("_"), ""):
                found.passed.append(Exclusion(str(path), reason))
            elif entry.is_symlink():
                heapq.heappush(linked, (len(path.parts), path))  # the shallow ones first
            else:
                folders.append(path)
    return found


def _entries(folder: Path, found: Walk) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        reason = f"is a folder that cannot be read ({error.strerror})"
        found.closed.append(Exclusion(str(folder), reason))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _why_broken(entry: os.DirEntry[str]) -> str:
    """Why an entry that is no folder is no ordinary file either; empty where it is one."""
    try:
        if entry.is_file():
            return ""
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    gone = entry.is_symlink() and not os.path.exists(entry.path)
    return "is a link to nothing" if gone else "is no ordinary file"
