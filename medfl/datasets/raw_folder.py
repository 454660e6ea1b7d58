"""What lies in a published dataset's folder: found whatever the nesting and the case of names."""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.files.walk import walk
from medfl.imaging.kinds import kind_by_ending

OTHER = "is no image and no table of the published set"
COPY = "is an equal copy of another image"


def plain(name: str) -> str:
    """Take case, spaces and marks out of a name: ``CT_NonCOVID`` and ``ct-noncovid`` are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


@dataclass(frozen=True)
class RawFolder:
    """The files below a folder, the shallow ones first, each folder's in the order of names.

    Attributes:
        root: the folder.
        files: hidden files and macOS debris are not among them.
        broken: links to nothing (or to themselves), pipes, sockets and devices.
        passed: all that is no file to be read, by its path below the root, with the reason.
    """

    root: Path
    files: Sequence[Path]
    broken: Sequence[Path]
    passed: Sequence[Exclusion] = ()
    _tables: set[Path] = field(default_factory=set, compare=False, repr=False)

    def find(self, *names: str) -> Path | None:
        """Find the shallowest file of the first name that is there, in any case of letters.

        It counts as one that is read.
        """
        for name in names:
            for file in self.files:
                if file.name.casefold() == name.casefold():
                    self._tables.add(file)
                    return file
        return None

    def left_out(self, taken: Iterable[Path], images: Iterable[Path]) -> list[Exclusion]:
        """List all that a reader passed over, by its path below the root.

        Args:
            taken: the images that it took, or left out with a reason of its own.
            images: all images of the set; those that it did not take are copies.
        """
        known, copies = {*taken, *self._tables}, set(images)
        rest = [
            Exclusion(file.relative_to(self.root).as_posix(), COPY if file in copies else OTHER)
            for file in self.files
            if file not in known
        ]
        return [*self.passed, *rest]

    def images(self, *folders: str) -> list[Path]:
        """List files with an image's ending; only those below a folder of these names, if given."""
        found = [file for file in self.files if kind_by_ending(file.name) == "image"]
        if folders:
            wanted = {plain(name) for name in folders}
            found = [file for file in found if wanted & {plain(p) for p in self.folders(file)}]
        return found

    def folders(self, file: Path) -> tuple[str, ...]:
        """List the names of the folders between the root and a file, the outermost first."""
        return file.relative_to(self.root).parts[:-1]

    def archives(self) -> list[Path]:
        """List the zip files."""
        return [file for file in self.files if file.suffix.casefold() == ".zip"]


def look_into(root: Path) -> RawFolder:
    """List a folder and all below it, links followed; what is no folder holds nothing.

    A folder that cannot be read is a ``MedflError``: what is in it would count as missing.
    """
    if not root.is_dir():
        return RawFolder(root, [], [])
    found = walk(root)
    if found.closed:
        one = found.closed[0]
        raise MedflError(f"{one.file} {one.reason}: give yourself the right to (chmod u+rx).")
    passed = [
        replace(one, file=Path(one.file).relative_to(root).as_posix()) for one in found.left_out
    ]
    return RawFolder(
        root,
        sorted(found.files, key=_shallow_first),
        sorted((Path(one.file) for one in found.broken), key=_shallow_first),
        sorted(passed, key=lambda one: one.file),
    )


def _shallow_first(path: Path) -> tuple[int, tuple[str, ...]]:
    return len(path.parts), path.parts


def one_each(files: Iterable[tuple[str, Path]]) -> tuple[dict[str, Path], int]:
    """Find one file for each id: redistributions hold some twice, and equal copies count once.

    Args:
        files: pairs of an id and a file, the preferred ones first.

    Returns:
        The files by id, and how many equal copies were passed over.

    Raises:
        MedflError: two files of one id differ.
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
