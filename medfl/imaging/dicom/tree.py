"""Find the DICOM images in a tree of files by their content, and say why others are left out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.files.processes import lost_file, map_isolated
from medfl.files.regular import regular
from medfl.files.walk import walk
from medfl.identity.burnt_in import burnt_in_summary
from medfl.identity.identifiers import Identifiers
from medfl.imaging.dicom.scan import Also, FileHeader, Scanned, scan_file
from medfl.imaging.dicom.twins import find_twins
from medfl.imaging.dicom.values import attribute_tag
from medfl.imaging.kinds import kind_by_ending, looks_like_dicom


@dataclass(frozen=True)
class DicomTree:
    """What ``scan_tree`` found. Paths and headers are not for outputs as they are.

    Attributes:
        headers: what DICOM files say of their images, by file, in the order of their paths.
        copies: those among them whose pixels and SOPInstanceUID an earlier one has, and that one.
        others: the files that are no DICOM, in the order of their paths.
        left_out: everything else, by its path, with the reason in words that may be written.
        warnings: what a user should know of the images found.
        identifiers: those of all people in the tree, also in files that are left out.
        seconds: that the scan took.
        scanned: how many files were opened.
    """

    headers: Mapping[Path, FileHeader] = field(repr=False)
    copies: Mapping[Path, Path] = field(repr=False)
    others: Sequence[Path] = field(repr=False)
    left_out: Sequence[Exclusion] = field(repr=False)
    warnings: Sequence[str]
    identifiers: Identifiers = field(repr=False)
    seconds: float
    scanned: int


def scan_tree(
    root: str | os.PathLike[str],
    attributes: Sequence[str] = (),
    workers: int | None = None,
    also: Also | None = None,
    chosen: Callable[[Path], bool] | None = None,
) -> DicomTree:
    """Find the DICOM images below ``root``, whatever their files are called.

    Each header is read once, several at a time, with a progress bar. Pixels are decoded only where
    files share a SOPInstanceUID.

    Args:
        root: a folder; links in it are followed, each folder once.
        attributes: keywords or tags to keep of each header (``FileHeader.attributes``).
        workers: how many files are read at once; as many as there are cores if None.
        also: computes what else to keep of a header (``FileHeader.also``).
        chosen: which files count; all if None.

    Raises:
        MedflError: the root is no folder, or an attribute is unknown.
    """
    root = Path(root)
    if not root.is_dir():
        raise MedflError(f"{root} is no folder: give the folder in which the DICOM files lie.")
    for name in attributes:
        attribute_tag(name)
    started = time.monotonic()
    found = walk(root)
    paths = sorted(path for path in found.files if chosen is None or chosen(path))
    left_out = [one for one in found.left_out if chosen is None or chosen(Path(one.file))]
    look = partial(_look, attributes=tuple(dict.fromkeys(attributes)), also=also)
    looked: list[Scanned | None] = list(
        map_isolated(look, paths, "reading headers", _unread, workers, unit="file")
    )
    scanned = {path: one for path, one in zip(paths, looked, strict=True) if one is not None}
    identifiers = Identifiers.union(one.identifiers for one in scanned.values())
    headers = {path: one.header for path, one in scanned.items() if one.header is not None}
    left_out += [
        Exclusion(str(path), one.reason) for path, one in scanned.items() if one.header is None
    ]
    twins = find_twins({path: header.uid for path, header in headers.items()}, workers)
    for path, reason in twins.damaged.items():
        del headers[path]
        left_out.append(Exclusion(str(path), reason))
    warnings = burnt_in_summary(
        header.burnt_in for path, header in headers.items() if path not in twins.copies
    )
    if twins.different:
        warnings.append(
            f"{twins.different:,} images have the SOPInstanceUID of another but other pixels: they "
            "are kept; the software that wrote them numbered them wrongly."
        )
    return DicomTree(
        headers,
        twins.copies,
        [path for path in paths if path not in scanned],
        sorted(left_out, key=lambda one: Path(one.file)),
        warnings,
        identifiers,
        time.monotonic() - started,
        len(paths),
    )


def _look(path: Path, attributes: Sequence[str], also: Also | None) -> Scanned | None:
    """Say what a DICOM file states, or what is wrong with it; None if it is no DICOM file."""
    if kind_by_ending(path.name) == "dicom":  # meant so, and damaged where it is none
        return scan_file(path, attributes, also)
    try:
        with open(path, "rb", opener=regular) as file:
            if not looks_like_dicom(file.read(132)):
                return None
    except OSError as error:
        return Scanned(None, f"cannot be read ({error.strerror or 'I/O error'})")
    return scan_file(path, attributes, also)


def _unread(path: Path, why: str) -> Scanned:
    return Scanned(None, lost_file(path, why).reason)
