"""A whole tree of DICOM files, found by content; what is left out is listed with the reason."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medfl.data.dicom.header import DicomError, attribute_tag
from medfl.data.dicom.preprocess import DicomPreprocessor
from medfl.data.dicom.scan import FileHeader, Scanned, scan_file
from medfl.data.exclusions import Exclusion
from medfl.data.parallel import map_ordered
from medfl.data.privacy.burnt_in import burnt_in_summary
from medfl.data.privacy.identifiers import Identifiers, safe_path, scrub
from medfl.data.privacy.pseudonyms import Pseudonyms
from medfl.errors import MedflError

_PRIVATE = ("uid", "series", "study", "patient", "attributes")


@dataclass(frozen=True)
class FoundFile:
    """An image file of a tree.

    Attributes:
        name: its path from the root, as it may be written into outputs.
        series: pseudonym of its series.
        patient: pseudonym of its patient.
        path: where it lies; not for outputs.
        header: what it states; of it, only ``record`` may be written.
    """

    name: str
    series: str
    patient: str
    path: Path = field(repr=False)
    header: FileHeader = field(repr=False)

    def record(self) -> dict[str, Any]:
        """What may be written into outputs: no identifier of a person."""
        stated = {key: value for key, value in asdict(self.header).items() if key not in _PRIVATE}
        return {"file": self.name, "patient": self.patient, "series": self.series} | stated


@dataclass(frozen=True)
class Tree:
    """What ``scan_tree`` found.

    Attributes:
        files: the images, in the order of their paths.
        excluded: everything else, with reasons, under names that may be written.
        warnings: what a user should know of the images found.
        identifiers: of all people in the tree, to scrub texts with; never to be written.
    """

    files: list[FoundFile]
    excluded: list[Exclusion]
    warnings: list[str]
    identifiers: Identifiers = field(repr=False)


def scan_tree(
    root: str | os.PathLike[str],
    pseudonyms: Pseudonyms,
    attributes: Sequence[str] = (),
    workers: int | None = None,
) -> Tree:
    """Find the DICOM images below ``root``, whatever their files are called.

    Args:
        root: a folder; links in it are followed, each folder once.
        pseudonyms: for names that identify people.
        attributes: keywords or tags to read of each file, for ``FoundFile.header.attributes``.
        workers: how many files are read at once; as many as there are cores if None.

    Files that are no DICOM, damaged, truncated, without pixels, hidden or double are excluded, and
    listed. A root that is no folder, and an unknown attribute, is a ``MedflError``.
    """
    root = Path(root)
    if not root.is_dir():
        raise MedflError(f"{root} is no folder: give the folder in which the DICOM files lie.")
    for name in attributes:
        attribute_tag(name)
    left_out: list[tuple[Path, str]] = []
    paths = sorted(_walk(root, left_out))
    scanned: list[Scanned] = list(
        map_ordered(
            partial(scan_file, attributes=tuple(attributes)),
            paths,
            "reading DICOM headers",
            workers,
            unit="file",
        )
    )
    identifiers = Identifiers.union(one.identifiers for one in scanned)

    def safe(path: Path) -> str:
        return safe_path(path.relative_to(root), identifiers, pseudonyms)

    files: list[FoundFile] = []
    twins = _Twins()
    for path, one in zip(paths, scanned, strict=True):
        if one.header is None:
            left_out.append((path, scrub(one.reason, identifiers)))
            continue
        try:
            same = twins.of(path, one.header.uid)
        except DicomError as error:
            left_out.append((path, scrub(error.reason, identifiers)))
            continue
        if same is not None:
            left_out.append((path, f"is the same image as {safe(same)} (equal SOPInstanceUID)"))
            continue
        series, patient = one.header.series, one.header.patient
        files.append(
            FoundFile(
                safe(path), pseudonyms.series(series), pseudonyms.patient(patient), path, one.header
            )
        )
    excluded = [Exclusion(safe(path), reason) for path, reason in sorted(left_out)]
    warnings = burnt_in_summary(file.header.burnt_in for file in files)
    if twins.different:
        warnings.append(
            f"{twins.different:,} images have the SOPInstanceUID of another but other pixels: they "
            "are kept; the software that wrote them numbered them wrongly."
        )
    return Tree(files, excluded, warnings, identifiers)


class _Twins:
    """Images of one SOPInstanceUID: copies, unless their pixels differ."""

    def __init__(self) -> None:
        self.different = 0
        self._first: dict[str, Path] = {}
        self._digests: dict[str, dict[bytes, Path]] = {}

    def of(self, path: Path, uid: str) -> Path | None:
        """The file before this one with the same image; pixels are decoded only if need be."""
        if not uid or uid not in self._first:
            self._first[uid] = path
            return None
        known = self._digests.setdefault(uid, {})
        if not known:
            with suppress(DicomError):  # the first is damaged, which shows when it is read
                known[_pixel_digest(self._first[uid])] = self._first[uid]
        digest = _pixel_digest(path)
        same = known.setdefault(digest, path)
        if same is not path:
            return same
        self.different += 1
        return None


def _pixel_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    for frame in DicomPreprocessor().frames(path):
        digest.update(repr(frame.values.shape).encode() + frame.values.tobytes())
    return digest.digest()


def _walk(root: Path, left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """All files below; a folder that is reached again through a link is entered once."""
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
                what = "folder, which is not entered" if entry.is_dir() else "file"
                left_out.append((path, f"is a hidden {what}"))
            elif not _is_folder(entry):
                yield path
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
