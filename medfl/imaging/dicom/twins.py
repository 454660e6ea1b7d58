"""Compare images of one SOPInstanceUID: they are copies, unless their pixels differ.

Pictures that merely look alike are the business of ``imaging/lookalikes.py``.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medfl.files.processes import lost_file, map_isolated
from medfl.imaging.dicom.header import DicomError
from medfl.imaging.dicom.preprocess import DicomPreprocessor


@dataclass(frozen=True)
class Twins:
    """What was found among files that share a SOPInstanceUID.

    Attributes:
        copies: each later file with the same pixels as an earlier one, and that one.
        damaged: later files that cannot be compared, and why.
        different: how many later files have other pixels than all before them.
    """

    copies: Mapping[Path, Path]
    damaged: Mapping[Path, str]
    different: int


def find_twins(uids: Mapping[Path, str], workers: int | None = None) -> Twins:
    """Compare the files that have one UID; only their pixels are decoded, on all cores.

    Args:
        uids: SOPInstanceUID by file, in the order in which the first one counts; an empty one is
            nobody's twin.
        workers: how many files are read at once.
    """
    families: dict[str, list[Path]] = defaultdict(list)
    for path, uid in uids.items():
        if uid:
            families[uid].append(path)
    shared = [path for family in families.values() if len(family) > 1 for path in family]
    if not shared:
        return Twins({}, {}, 0)
    what = "comparing images of one SOPInstanceUID"
    found = map_isolated(
        _digest, shared, what, lambda path, why: lost_file(path, why).reason, workers
    )
    digests = dict(zip(shared, found, strict=True))
    copies: dict[Path, Path] = {}
    damaged: dict[Path, str] = {}
    different = 0
    for family in families.values():
        known: dict[bytes, Path] = {}
        for number, path in enumerate(family if len(family) > 1 else ()):
            digest = digests[path]
            if isinstance(digest, str):
                if number:  # the first file's damage shows when it is read
                    damaged[path] = digest
            elif (same := known.setdefault(digest, path)) is not path:
                copies[path] = same
            else:
                different += number > 0 and len(known) > 1
    return Twins(copies, damaged, different)


def _lost(path: Path, why: str) -> bytes | str:
    return lost_file(path, why).reason


def _digest(path: Path) -> bytes | str:
    """Hash all pixels in modality units (SHA-256); the reason where they cannot be decoded."""
    digest = hashlib.sha256()
    try:
        for frame in DicomPreprocessor().frames(path):
            digest.update(repr(frame.values.shape).encode() + frame.values.tobytes())
    except DicomError as error:
        return error.reason
    return digest.digest()
