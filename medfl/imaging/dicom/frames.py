"""One frame of a multi-frame file: its own attributes, and how large its pixels are.

DICOM PS3.3 C.7.6.16 calls what all frames share, and what each frame has, functional groups.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from medfl.imaging.remarks import remark

if TYPE_CHECKING:
    from pydicom import Dataset

_GROUPS = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


def frame_count(header: Dataset) -> int:
    """The frames that a file says it holds; 1 where it says nothing."""
    return int(header.get("NumberOfFrames") or 1)


def frame_header(header: Dataset, frame: int = 0) -> Dataset:
    """Give a file's attributes as one frame has them.

    The spacing, position, orientation, rescale and window of the functional groups stand at the
    top level of the result, as in a single-frame file. The result shares its elements with
    ``header``; a file without functional groups is returned as it is.
    """
    groups = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    if frame < len(own):
        groups.append(own[frame])
    if not groups:
        return header
    from pydicom import Dataset

    flat = Dataset()
    flat.file_meta = header.file_meta
    implicit, little = header.original_encoding
    flat.set_original_encoding(implicit, little, header.original_character_set)
    flat.update(header)
    for group in groups:
        for name in _GROUPS:
            for item in (group.get(name) or [])[:1]:
                for element in item:
                    flat[element.tag] = element
    return flat


def pixel_spacing(header: Dataset) -> tuple[float, float]:
    """Height and width of a pixel, in mm where the file states them, else in any unit."""
    for name in _SPACINGS:
        value: Any = header.get(name)
        try:
            height, width = (float(part) for part in value)
        except (TypeError, ValueError):  # absent, empty, or not two numbers
            continue
        if 0 < height < math.inf and 0 < width < math.inf:
            return height, width
        remark([f"its {name} is impossible: it is read as without one"])
    return 1.0, 1.0
