"""Read facts from the paths and headers of a sample; all slices of a volume must say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from medfl.datasets.described.fact_sections import Origin
from medfl.datasets.described.files import Found
from medfl.datasets.described.people import folder_name, found_in
from medfl.files.exclusions import LeftOut

T = TypeVar("T")
DISAGREE = "has slices of different {}: nobody knows which is right"


@dataclass(frozen=True)
class Origins:
    """Reads what is known of a sample by its first file; ``LeftOut`` where its slices disagree.

    Attributes:
        found: the files.
    """

    found: Found

    def of(self, name: str, origin: Origin, source: str, what: str) -> str | None:
        """Read what the description says; None where that says nothing of the sample.

        Args:
            name: the first file's.
            origin: what the description says.
            source: folder, name or dicom; nothing is read from any other.
            what: it is, in the plural.
        """
        if source == "folder":
            return self.of_folder(name, origin.level, what)
        if source == "name":
            return self.of_name(name, origin.pattern, what)
        if source == "dicom":
            return self.of_header(name, [origin.attribute], what)
        return None

    def of_folder(self, name: str, level: int, what: str) -> str | None:
        """Name the folder of a file, or of all slices of a volume, at a level from 1."""
        return self._agreed(name, lambda path: folder_name(path, level), what)

    def of_name(self, name: str, pattern: str, what: str) -> str | None:
        """Find the group of a pattern in a volume's name, or in a file's path."""
        if name in self.found.stacks and self.found.is_folder(name):
            by_folder = found_in(name, pattern)  # which all its slices share
            if by_folder is not None:
                return by_folder
        return self._agreed(name, lambda path: found_in(path, pattern), what)

    def of_header(self, name: str, keywords: Iterable[str], what: str) -> str | None:
        """Find the first attribute that is stated; ``LeftOut`` for what is no DICOM file."""
        for keyword in keywords:
            stated = {self._stated(path, keyword) for path in self.found.paths(name)} - {""}
            if stated:
                return _only(stated, what)
        return None

    def _stated(self, path: str, keyword: str) -> str:
        header = self.found.headers.get(path)
        if header is None:
            raise LeftOut(f"is no DICOM file, so it has no {keyword}")
        return header.attributes[keyword].strip()

    def _agreed(self, name: str, read: Callable[[str], str | None], what: str) -> str | None:
        return _only({read(path) for path in self.found.paths(name)}, what)


def _only(values: set[T], what: str) -> T:
    if len(values) > 1:
        raise LeftOut(DISAGREE.format(what))
    return values.pop()
