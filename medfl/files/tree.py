"""What lies in a folder of raw files: found whatever the nesting and the case of names."""

from __future__ import annotations

import filecmp
import os
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medfl.errors import MedflError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
_DEBRIS = frozenset({"__macosx"})  # what macOS puts into archives


def plain(name: str) -> str:
    """A name without case, spaces and marks: ``CT_NonCOVID`` and ``ct-noncovid`` are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


@dataclass(frozen=True)
class Tree:
    """The files below a folder, the shallow ones first, each folder's in the order of names.

    Attributes:
        root: the folder.
        files: hidden files and macOS debris are not among them.
        broken: links to nothing (or to themselves), pipes, sockets and devices.
    """

    root: Path
    files: Sequence[Path]
    broken: Sequence[Path]

    def find(self, *names: str) -> Path | None:
        """The shallowest file of the first name that is there, in any case of letters."""
        for name in names:
            for file in self.files:
                if file.name.casefold() == name.casefold():
                    return file
        return None

    def images(self, *folders: str) -> list[Path]:
        """Files with the suffix of an image; those below a folder of these names, if given."""
        found = [file for file in self.files if file.suffix.casefold() in IMAGE_SUFFIXES]
        if folders:
            wanted = {plain(name) for name in folders}
            found = [file for file in found if wanted & {plain(p) for p in self.folders(file)}]
        return found

    def folders(self, file: Path) -> tuple[str, ...]:
        """Names of the folders between the root and a file, the outermost first."""
        return file.relative_to(self.root).parts[:-1]

    def archives(self) -> list[Path]:
        """Zip files."""
        return [file for file in self.files if file.suffix.casefold() == ".zip"]


def scan(root: Path) -> Tree:
    """List a folder and all below it; linked folders are entered once, so loops end."""
    files: list[Path] = []
    broken: list[Path] = []
    seen: set[str] = set()
    waiting = deque([root])
    while waiting:
        folder = waiting.popleft()
        real = os.path.realpath(folder)
        if real in seen or not folder.is_dir():
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name.casefold() in _DEBRIS:
                    continue
                path = folder / entry.name
                if _is(entry, "is_dir"):
                    waiting.append(path)
                elif _is(entry, "is_file"):
                    files.append(path)
                else:
                    broken.append(path)
    return Tree(root, files, broken)


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    try:
        return bool(getattr(entry, kind)())
    except OSError:  # a link that leads to itself
        return False


def one_each(files: Iterable[tuple[str, Path]]) -> tuple[dict[str, Path], int]:
    """Files by id. Redistributions hold some twice: equal copies count once.

    Args:
        files: ids and their files, the preferred ones first.

    Returns:
        The files by id, and how many equal copies were passed over.

    Raises:
        MedflError: two files of one id that differ.
    """
    found: dict[str, Path] = {}
    copies = 0
    for name, path in files:
        first = found.setdefault(name, path)
        if first is path:
            continue
        if not (os.path.samefile(first, path) or filecmp.cmp(first, path, shallow=False)):
            raise MedflError(
                f"{first} and {path} differ, and both are the image {name}: remove the wrong one."
            )
        copies += 1
    return found, copies
