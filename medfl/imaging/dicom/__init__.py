"""DICOM, natively: headers, pixels in modality units, square images, whole directory trees."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medfl.imaging.dicom.decode import frame_pixels
    from medfl.imaging.dicom.frames import frame_count, frame_header, pixel_spacing
    from medfl.imaging.dicom.header import DicomError, attribute, read_header
    from medfl.imaging.dicom.preprocess import DicomImage, DicomPreprocessor
    from medfl.imaging.dicom.scan import FileHeader
    from medfl.imaging.dicom.tree import DicomTree, scan_tree

_HOMES = {
    "DicomError": "header",
    "DicomImage": "preprocess",
    "DicomPreprocessor": "preprocess",
    "FileHeader": "scan",
    "DicomTree": "tree",
    "attribute": "header",
    "frame_count": "frames",
    "frame_header": "frames",
    "frame_pixels": "decode",
    "pixel_spacing": "frames",
    "read_header": "header",
    "scan_tree": "tree",
}

__all__ = [
    "DicomError",
    "DicomImage",
    "DicomPreprocessor",
    "DicomTree",
    "FileHeader",
    "attribute",
    "frame_count",
    "frame_header",
    "frame_pixels",
    "pixel_spacing",
    "read_header",
    "scan_tree",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
