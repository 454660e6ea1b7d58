"""Look at one file of a tree: what it holds, or why it is left out; no pixels are decoded."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medfl.errors import failure
from medfl.files.regular import regular
from medfl.identity.burnt_in import burnt_in_warning
from medfl.identity.identifiers import Identifiers, identifiers_in
from medfl.imaging.codes import stated_code
from medfl.imaging.dicom.claims import refuse_claim
from medfl.imaging.dicom.frames import frame_count
from medfl.imaging.dicom.header import PIXELS, DicomError, parse_header
from medfl.imaging.dicom.values import attribute, kind, swallowed

if TYPE_CHECKING:
    from pydicom import Dataset

Also = Callable[["Dataset", Path], Any]
"""Computes what else a caller wants of a header, while it is in memory."""

_DIRECTORY = "1.2.840.10008.1.3.10"
_NO_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
}
_CODE = re.compile(r"[A-Z][A-Z0-9_ ]{0,15}")


@dataclass(frozen=True)
class FileHeader:
    """What is kept of a file's header; only the fields up to ``burnt_in`` may be written out.

    Attributes:
        modality: such as CT; empty where the file states no such code.
        rows, columns, frames: the size of the image.
        photometric: such as MONOCHROME2.
        bits: how many are stored for each sample of a pixel.
        syntax: the transfer syntax, in the standard's words.
        burnt_in: why its pixels may name the patient; empty where nothing speaks for it.
        uid, series, study, patient: as the file states them, identifiers of a person.
        attributes: those that the caller asked for, as text.
        also: what the caller's own function made of the header.
    """

    modality: str
    rows: int
    columns: int
    frames: int
    photometric: str
    bits: int
    syntax: str
    burnt_in: str
    uid: str = field(repr=False)
    series: str = field(repr=False)
    study: str = field(repr=False)
    patient: str = field(repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    also: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Scanned:
    """The outcome for one file: its ``header``, or the ``reason`` why it is left out."""

    header: FileHeader | None
    reason: str = ""
    identifiers: Identifiers = field(default_factory=Identifiers, repr=False)


def scan_file(path: Path, attributes: Sequence[str] = (), also: Also | None = None) -> Scanned:
    """Read one file's attributes, and check that its pixel data are all there."""
    identifiers = Identifiers()
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return Scanned(None, "is no ordinary file")
        with open(path, "rb", opener=regular) as file:
            header = parse_header(file, path)
            taken = swallowed(header)
            identifiers = identifiers_in(header, taken.values())
            if taken:
                reason = f"the length of its {next(iter(taken))} is wrong, and takes in others"
                return Scanned(None, f"is a damaged DICOM file: {reason}", identifiers)
            return _judged(header, file, path, identifiers, attributes, also)
    except DicomError as error:
        return Scanned(None, error.reason, identifiers)
    except FileNotFoundError:
        return Scanned(None, "is a link to nothing", identifiers)
    except OSError as error:
        return Scanned(None, f"cannot be read ({error.strerror or 'I/O error'})", identifiers)
    except Exception as error:  # such as an attribute whose value is no number
        reason = f"is a damaged DICOM file: {failure(error)}"
        return Scanned(None, reason, identifiers)


def _judged(
    header: Dataset,
    file: BinaryIO,
    path: Path,
    identifiers: Identifiers,
    attributes: Sequence[str],
    also: Also | None,
) -> Scanned:
    meta = header.file_meta
    if (
        str(meta.get("MediaStorageSOPClassUID")) == _DIRECTORY
        or "DirectoryRecordSequence" in header
    ):
        reason = "is the directory of a medium (DICOMDIR): the files themselves are read"
        return Scanned(None, reason, identifiers)
    if str(header.get("SOPClassUID")) in _NO_PICTURES:
        return Scanned(None, f"is about a picture and none itself ({kind(header)})", identifiers)
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    syntax = meta.TransferSyntaxUID
    if syntax.is_deflated:
        with open(
            path, "rb", opener=regular
        ) as whole:  # it must be inflated before elements can be measured
            full = parse_header(whole, path, pixels=True)
        has_pixels = any(name in full for name in PIXELS)
    else:
        has_pixels = _measure(file, os.fstat(file.fileno()).st_size, header, path)
    refuse_claim(header, path, os.fstat(file.fileno()).st_size)
    if not has_pixels or not rows or not columns:
        if rows and columns:
            return Scanned(None, "holds no pixel data, or is truncated before them", identifiers)
        return Scanned(None, f"holds no image ({kind(header)})", identifiers)
    found = FileHeader(
        modality=stated_code(header.get("Modality")),
        rows=rows,
        columns=columns,
        frames=frame_count(header),
        photometric=_code(header.get("PhotometricInterpretation")),
        bits=int(header.get("BitsStored") or 0),
        syntax=syntax.name if not syntax.is_private and syntax.name != str(syntax) else "unknown",
        burnt_in=burnt_in_warning(header),
        uid=_stated(header, "SOPInstanceUID"),
        series=_stated(header, "SeriesInstanceUID"),
        study=_stated(header, "StudyInstanceUID"),
        patient=_stated(header, "PatientID"),
        attributes={name: attribute(header, name) for name in attributes},
        also=also(header, path) if also else None,
    )
    return Scanned(found, "", identifiers)


def _measure(file: BinaryIO, size: int, header: Dataset, path: Path) -> bool:
    """Whether pixel data follow where the file stands; ``DicomError`` if they are cut off."""
    implicit, little = header.original_encoding
    order = "<" if little else ">"
    start = file.read(12)
    if len(start) < 8:
        return False
    group, element = struct.unpack(order + "HH", start[:4])
    if (group, element) not in ((0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)):
        return False
    if implicit:
        (length,) = struct.unpack(order + "L", start[4:8])
        file.seek(-4, os.SEEK_CUR)
    elif len(start) < 12:
        raise DicomError(path, "is truncated: its pixel data are cut off")
    else:
        (length,) = struct.unpack(order + "L", start[8:12])
    if length != 0xFFFFFFFF:
        if file.tell() + length > size:
            raise DicomError(path, "is truncated: its pixel data are cut off")
        return length > 0
    items = 0
    while True:  # fragments, until the delimiter of the sequence
        start = file.read(8)
        if len(start) < 8:
            raise DicomError(path, "is truncated: its compressed pixel data have no end")
        group, element, length = struct.unpack("<HHL", start)
        if (group, element) == (0xFFFE, 0xE0DD):
            return items > 1  # the first item is the table of offsets
        if (group, element) != (0xFFFE, 0xE000) or file.tell() + length > size:
            raise DicomError(path, "is truncated: its compressed pixel data are cut off")
        items += 1
        file.seek(length, os.SEEK_CUR)


def _stated(header: Dataset, keyword: str) -> str:
    """An identifier as it is: nobody sees it, and many files have unique ones of other forms."""
    return str(header.get(keyword) or "").strip(" \0")


def _code(value: Any) -> str:
    """Let a value pass that is built like a code; anything else may be somebody's name."""
    text = str(value or "").strip()
    return text if _CODE.fullmatch(text) else ""
