"""How large an image is in its own file, from the header alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medfl.imaging.dicom.header import read_header
from medfl.imaging.kinds import kind_of
from medfl.imaging.picture_file import open_picture
from medfl.imaging.volume import open_nifti

SEPARATOR = "x"
COLUMN = "source_size"
"""The column of ``samples.csv``: height x width, or slices x height x width."""


def source_size(source: Any) -> str:
    """``<height>x<width>`` of a file, with the number of slices first for a volume.

    Empty where it cannot be told: for a row of an array, several modalities or a damaged file.
    """
    if isinstance(source, tuple):
        slices = [part for part in source if isinstance(part, Path)]
        inner = source_size(slices[0]) if len(slices) == len(source) and slices else ""
        return f"{len(slices)}{SEPARATOR}{inner}" if inner and len(slices) > 1 else inner
    if not isinstance(source, Path):
        return ""
    try:
        sides = _sides(source)
    except Exception:  # whoever decodes the file says what is wrong with it
        return ""
    return SEPARATOR.join(str(side) for side in sides)


def _sides(path: Path) -> tuple[int, ...]:
    kind = kind_of(path)
    if kind == "image":
        with open_picture(path) as image:
            return image.height, image.width
    if kind == "nifti":
        nifti = open_nifti(path)
        if not nifti.is_flat:
            return nifti.shape
        return tuple(side for side in reversed(nifti.shape) if side > 1)  # rows first
    if kind != "dicom":
        return ()
    header = read_header(path)
    frames = int(header.get("NumberOfFrames") or 1)
    return (*((frames,) if frames > 1 else ()), int(header.Rows), int(header.Columns))
