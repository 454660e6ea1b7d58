"""What a DICOM file says that its pixels need, against what it holds: before memory is taken."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from medfl.errors import FileError
from medfl.files.bounds import refuse_swelling
from medfl.imaging.dicom.header import DicomError

if TYPE_CHECKING:
    from pydicom import Dataset

_NO_FRAME = {0xC4, 0xC8, 0xCC}  # between the markers of JPEG that begin a frame
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers of JPEG without a length


def refuse_claim(header: Dataset, path: str | os.PathLike[str], packed: int) -> None:
    """Refuse a file (``DicomError``) one of whose frames would need more memory than is sane.

    Args:
        header: its attributes.
        path: the file.
        packed: bytes that the frame has in it.
    """
    bits = int(header.get("BitsAllocated") or 8)
    samples = int(header.get("Rows") or 0) * int(header.get("Columns") or 0)
    samples *= int(header.get("SamplesPerPixel") or 1)
    _refuse(path, samples * -(-bits // 8), packed)


def refuse_frame(header: Dataset, path: str | os.PathLike[str], frame: int) -> None:
    """Refuse a compressed frame by the header of the file, and by its own.

    Raises:
        DicomError: one of them claims more than is sane.
    """
    from pydicom.encaps import get_frame

    try:
        if not header.file_meta.TransferSyntaxUID.is_encapsulated:
            return  # pydicom compares the number of bytes with what they should be
        frames = int(header.get("NumberOfFrames") or 1)
        packed = get_frame(header.PixelData, frame, number_of_frames=frames)
    except Exception:  # damaged, or of no known syntax: whoever decodes it says how
        return
    refuse_claim(header, path, len(packed))
    _refuse(path, _of_codestream(packed), len(packed))


def _refuse(path: str | os.PathLike[str], unpacked: int, packed: int) -> None:
    try:
        refuse_swelling(path, unpacked, packed)
    except FileError as error:
        raise DicomError(path, error.reason) from None


def _of_codestream(packed: bytes) -> int:
    """Bytes that a frame of JPEG, JPEG-LS or JPEG 2000 says it has; 0 where it says nothing.

    Decoders take memory by this, and not by the attributes of the file.
    """
    if packed[:4] == b"\xff\x4f\xff\x51" and len(packed) > 42:  # T.800, A.5.1
        right, lower, left, top = struct.unpack(">4L", packed[8:24])
        (components,) = struct.unpack(">H", packed[40:42])
        each = 1 + (packed[42] & 0x7F > 7)
        return int(max(0, right - left) * max(0, lower - top) * components * each)
    if packed[:2] != b"\xff\xd8":
        return 0
    place = 2
    while place + 10 <= len(packed):  # T.81, B.2.2: the first frame header
        marker = packed[place + 1]
        if packed[place] != 0xFF or marker in _ALONE or marker == 0xFF:
            place += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME) or marker == 0xF7:
            bits, rows, columns, components = struct.unpack(">BHHB", packed[place + 4 : place + 10])
            return int(rows * columns * components * -(-bits // 8))
        place += 2 + struct.unpack(">H", packed[place + 2 : place + 4])[0]
    return 0
