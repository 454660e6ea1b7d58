"""What kind of file holds an image: DICOM is known by its content, the others by their ending."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from medfl.files.regular import regular

Kind = Literal["image", "dicom", "nifti", "npz"]

ENDINGS: dict[Kind, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".pgm"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "nifti": (".nii", ".nii.gz", ".hdr", ".hdr.gz"),
    "npz": (".npz", ".npy"),
}


def kind_of(path: Path) -> Kind | None:
    """The kind of a file, whose first bytes are read; None for a file of no kind."""
    try:
        with open(path, "rb", opener=regular) as file:
            if looks_like_dicom(file.read(132)):
                return "dicom"
    except OSError:  # whoever reads the file says what is wrong with it
        pass
    return kind_by_ending(path.name)


def kind_by_ending(name: str) -> Kind | None:
    """The kind that a file's name promises, in any case of letters."""
    low = name.lower()
    return next((kind for kind, endings in ENDINGS.items() if low.endswith(endings)), None)


def voxels_of(header: Path) -> Path | None:
    """The file of the voxels (``x.img``) of a header (``x.hdr``); None for any other file.

    It need not be there. Case and compression are those of the header's name.
    """
    return _other_half(header, "hdr", "img")


def header_of(voxels: Path) -> Path | None:
    """The header (``x.hdr``) of a file of voxels (``x.img``); None for any other file."""
    return _other_half(voxels, "img", "hdr")


def _other_half(path: Path, this: str, other: str) -> Path | None:
    found = re.fullmatch(rf"(.+\.)({this}|{this.upper()})((?:\.gz)?)", path.name)
    if found is None:
        return None
    ending = other if found[2] == this else other.upper()
    return path.with_name(found[1] + ending + found[3])


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file end in the prefix, or begin like a bare data set.

    Such a data set, which lacks the prefix, begins with an element of group 0002 or 0008, little or
    big endian.
    """
    begins = start[:2] in (b"\x08\x00", b"\x02\x00", b"\x00\x08")
    return len(start) == 132 and (start[128:] == b"DICM" or begins)
