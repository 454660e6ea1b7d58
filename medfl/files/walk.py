"""All files below a folder, links followed; what is not entered is listed with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_DEBRIS = "__macosx"


def walk(root: Path, left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """Yield the files below ``root``, in no particular order.

    A folder that is reached again through a link is entered once. Hidden files and folders, what
    macOS adds to archives, and folders that cannot be read are added to ``left_out``.
    """
    visited = {_identity(root)}
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            left_out.append((folder, f"is a folder that cannot be read ({error.strerror})"))
            continue
        # Links last: a folder is listed under its own name where it is in the tree itself.
        for entry in sorted(entries, key=lambda entry: entry.is_symlink()):
            path = Path(entry.path)
            if entry.name.startswith("."):
                what = "folder, which is not entered" if _is_folder(entry) else "file"
                left_out.append((path, f"is a hidden {what}"))
            elif not _is_folder(entry):
                yield path
            elif entry.name.casefold() == _DEBRIS:
                left_out.append((path, "is what macOS adds to archives, and is not entered"))
            elif (identity := _identity(path)) in visited:
                left_out.append((path, "is a link to a folder that is read elsewhere"))
            else:
                visited.add(identity)
                folders.append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
