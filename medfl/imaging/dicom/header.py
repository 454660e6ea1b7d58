"""The attributes of a DICOM file, with or without the prefix that a file should have."""

from __future__ import annotations

import os
import re
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.identity.words import error_words
from medfl.imaging.kinds import looks_like_dicom

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

_SILENCE = ("ignore", None, UserWarning, re.compile(r"pydicom\."), 0)
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


class DicomError(MedflError):
    """A DICOM file that cannot be used.

    Attributes:
        reason: what is wrong with it, in words that follow the file's name and that quote no
            value of the file, so that they may be written into an output.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{path} {reason}.")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[DicomError], tuple[Path, str]]:
        """Pickle by path and reason, so that an error crosses processes."""
        return type(self), (self.path, self.reason)


def read_header(path: str | os.PathLike[str], pixels: bool = False) -> Dataset:
    """Read the attributes of a DICOM file, with or without its pixel data.

    A file without the ``DICM`` prefix is read if its first bytes are those of a data set. A file
    that is missing, no DICOM, or damaged is a ``DicomError``.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to read a pipe would be to wait forever
            raise DicomError(path, "is no ordinary file")
        with path.open("rb") as file:
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
    start = file.read(132)
    file.seek(0)
    prefixed = start[128:] == b"DICM"
    if not looks_like_dicom(start):
        raise DicomError(path, "is not a DICOM file (it lacks the DICM prefix)")
    try:
        header = dcmread(file, stop_before_pixels=not pixels, force=not prefixed)
        header.get("Rows")  # elements are parsed when first read
        if not prefixed and "SOPClassUID" not in header and "Rows" not in header:
            raise InvalidDicomError
    except InvalidDicomError as error:
        raise DicomError(path, "is not a DICOM file (it lacks the DICM prefix)") from error
    except Exception as error:  # truncation shows as EOFError, struct.error, KeyError, …
        raise DicomError(path, f"is a damaged DICOM file: {error_words(error)}") from error
    if not getattr(header.file_meta, "TransferSyntaxUID", None):
        header.file_meta.TransferSyntaxUID = _guessed_syntax(header)
    return header


def attribute(header: Dataset, name: str) -> str:
    r"""Give the value of one attribute as text; empty where the file lacks it.

    Args:
        header: as ``read_header`` gives it.
        name: a keyword (``PatientSex``) or a tag (``(0010,0040)``, ``00100040``).

    A name that is no attribute is a ``MedflError``. Several values are joined by ``\``.
    """
    from pydicom.multival import MultiValue

    tag = attribute_tag(name)
    if tag not in header:
        return ""
    value: Any = header[tag].value
    if isinstance(value, MultiValue):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value).strip()


def attribute_tag(name: str) -> int:
    """The tag that a keyword or a written tag means; anything else is a ``MedflError``."""
    from pydicom.datadict import DicomDictionary, dictionary_keyword, tag_for_keyword

    digits = name.strip().strip("()").replace(",", "").replace(" ", "")
    if len(digits) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return int(digits, 16)
    tag = tag_for_keyword(name)
    if tag is None:
        hint = did_you_mean(name, [dictionary_keyword(tag) for tag in DicomDictionary])
        if len(hint) > 200:  # no keyword is near, and thousands would be listed
            hint = '; give a keyword such as "StudyDescription" or a tag such as "(0008,1030)".'
        raise MedflError(f"`{name}` is no DICOM attribute{hint}")
    return tag


def kind(header: Dataset) -> str:
    """Say what sort of object a file is, in the standard's words."""
    return getattr(header.get("SOPClassUID"), "name", None) or "no SOP class"


def _guessed_syntax(header: Dataset) -> UID:
    from pydicom import uid

    implicit, little = header.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _be_quiet() -> None:
    """Keep pydicom from warning about odd values while it reads: its warnings quote them."""
    import logging

    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    if _SILENCE not in warnings.filters:  # pytest and others put the filters back
        warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
