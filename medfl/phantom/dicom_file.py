"""A DICOM file of attributes that are known to be sound: to the byte what pydicom writes of them.

Pydicom looks at every value as if it came from elsewhere, which takes longer than its image does to
simulate.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

DicomValue = str | int | bytes | list[str]

_LONG = ("OB", "OW")  # their length takes four bytes
_PREFIX = bytes(128) + b"DICM"


def encoded(attributes: Mapping[str, DicomValue]) -> bytes:
    """A file in explicit VR little endian.

    Args:
        attributes: keyword → value, all in ASCII; numbers that DICOM writes as text may be whole
            numbers. ``SOPClassUID``, ``SOPInstanceUID`` and, of 16 bits, ``PixelData`` are needed.
    """
    from pydicom import __version_info__
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, ExplicitVRLittleEndian

    meta: dict[str, DicomValue] = {
        "FileMetaInformationVersion": b"\0\1",
        "MediaStorageSOPClassUID": attributes["SOPClassUID"],
        "MediaStorageSOPInstanceUID": attributes["SOPInstanceUID"],
        "TransferSyntaxUID": ExplicitVRLittleEndian,
        "ImplementationClassUID": PYDICOM_IMPLEMENTATION_UID,
        "ImplementationVersionName": f"PYDICOM {'.'.join(__version_info__)}",
    }
    first = _elements(meta)
    length = _elements({"FileMetaInformationGroupLength": len(first)})
    return _PREFIX + length + first + _elements(attributes)


def _elements(attributes: Mapping[str, DicomValue]) -> bytes:
    """All elements, in the order of their tags."""
    named = sorted((*_tag_and_kind(word), value) for word, value in attributes.items())
    return b"".join(_element(tag, kind, value) for tag, kind, value in named)


def _element(tag: int, kind: str, value: DicomValue) -> bytes:
    if isinstance(value, int) and kind in ("US", "UL"):
        content = struct.pack("<H" if kind == "US" else "<I", value)
    elif isinstance(value, bytes):
        content = value
    else:
        content = ("\\".join(value) if isinstance(value, list) else str(value)).encode("ascii")
    if len(content) % 2:
        content += b" " if kind not in ("UI", *_LONG) else b"\0"
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind.encode())
    return head + struct.pack("<xxI" if kind in _LONG else "<H", len(content)) + content


@cache
def _tag_and_kind(keyword: str) -> tuple[int, str]:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag, dictionary_VR(tag).replace("OB or OW", "OW")
