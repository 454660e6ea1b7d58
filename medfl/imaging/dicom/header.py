"""The attributes of a DICOM file, with or without the prefix that a file should have."""

from __future__ import annotations

import io
import os
import stat
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from medfl.errors import FileError, failure
from medfl.files.bounds import refuse_swelling_stream
from medfl.files.regular import regular
from medfl.imaging.kinds import looks_like_dicom
from medfl.imaging.quiet import be_quiet

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_START = 4096  # bytes, more than the elements take that stand before the transfer syntax


class DicomError(FileError):
    """A DICOM file that cannot be used."""


def read_header(path: str | os.PathLike[str], pixels: bool = False) -> Dataset:
    """Read the attributes of a DICOM file, with or without its pixel data.

    A file without the ``DICM`` prefix is read if its first bytes are those of a data set. A file
    that is missing, no DICOM, or damaged is a ``DicomError``.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to read a pipe would be to wait forever
            raise DicomError(path, "is no ordinary file")
        with open(path, "rb", opener=regular) as file:
            return parse_header(file, path, pixels)
    except FileNotFoundError as error:
        raise DicomError(path, "does not exist") from error
    except OSError as error:
        raise DicomError(path, f"cannot be read ({error.strerror or 'I/O error'})") from error


def parse_header(file: BinaryIO, path: Path, pixels: bool = False) -> Dataset:
    """Do what ``read_header`` does with an open file; ``path`` is for errors only.

    Without ``pixels``, the file stands at its pixel data element afterwards.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    _be_quiet()
    start = file.read(_START)
    file.seek(0)
    prefixed = start[128:132] == b"DICM"
    if not looks_like_dicom(start[:132]):
        raise DicomError(path, "is not a DICOM file (it lacks the DICM prefix)")
    try:
        with _Deflated(path) if _DEFLATED in start else nullcontext(file) as source:
            header = dcmread(source, stop_before_pixels=not pixels, force=not prefixed)
        header.get("Rows")  # elements are parsed when first read
        if not prefixed and "SOPClassUID" not in header and "Rows" not in header:
            raise InvalidDicomError
    except FileError as error:
        raise DicomError(path, error.reason) from None
    except InvalidDicomError as error:
        raise DicomError(path, "is not a DICOM file (it lacks the DICM prefix)") from error
    except Exception as error:  # truncation shows as EOFError, struct.error, KeyError, …
        raise DicomError(path, f"is a damaged DICOM file: {failure(error)}") from None
    if not getattr(header.file_meta, "TransferSyntaxUID", None):
        header.file_meta.TransferSyntaxUID = _guessed_syntax(header)
    return header


class _Deflated(io.FileIO):
    """A file whose data set is deflated: then pydicom reads all the rest of it at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; a rest that swells to more than is sane is a ``FileError``."""
        content = super().read(size)
        if size is None or size < 0:
            refuse_swelling_stream(str(self.name), content)
        return content


def _guessed_syntax(header: Dataset) -> UID:
    from pydicom import uid

    implicit, little = header.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _be_quiet() -> None:
    """Keep pydicom from refusing or warning of odd values while it reads."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    be_quiet()
