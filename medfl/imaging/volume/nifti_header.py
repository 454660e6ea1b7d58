"""What stands before the voxels of a NIfTI file, which nibabel reads whatever its size."""

from __future__ import annotations

import struct
from pathlib import Path

from medfl.errors import FileError

MOST = 64 << 20  # bytes before the voxels: extensions hold words, tables, a DICOM header
_VOXELS = {348: ("f", 108, 344), 540: ("q", 168, 4)}
"""By a header's length: vox_offset's kind and place, and that of the magic bytes."""


def refuse_header(path: Path) -> None:
    """Refuse a file that says it has more before its voxels than is sane (``FileError``).

    nibabel takes memory for an extension by the length that it states, and inflates a compressed
    file up to where the voxels are said to begin.
    """
    from nibabel.openers import ImageOpener

    try:
        with ImageOpener(str(path)) as file:
            start = file.read(544)
            order = next((one for one in "<>" if _length(start, one) in _VOXELS), "")
            if not order:  # no NIfTI file, as nibabel says in its own words
                return
            length = _length(start, order)
            kind, place, magic = _VOXELS[length]
            left = MOST
            if start[magic : magic + 2] == b"n+":  # one file, whose voxels follow
                voxels = struct.unpack_from(order + kind, start, place)[0]
                if voxels > MOST:
                    raise FileError(path, _WORDS)
                left = int(voxels) - length - 4
            file.seek(length + 4)
            while start[length : length + 1] > b"\0" and left >= 16:  # as nibabel goes on
                head = file.read(8)
                if len(head) < 8:
                    return
                size = struct.unpack_from(order + "i", head)[0]
                if not 8 <= size <= MOST:
                    raise FileError(path, _WORDS)
                file.seek(size - 8, 1)
                left -= size
    except FileError:
        raise
    except Exception:  # damage, which nibabel meets too
        return


_WORDS = f"is refused: it says that more than {MOST >> 20} MiB stand before its voxels"


def _length(start: bytes, order: str) -> int:
    return int.from_bytes(start[:4], "little" if order == "<" else "big")
