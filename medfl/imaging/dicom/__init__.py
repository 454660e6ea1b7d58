"""DICOM, natively: headers, pixels in modality units, square images, whole directory trees."""

from medfl.imaging.dicom.decode import frame_pixels
from medfl.imaging.dicom.frames import frame_count, frame_header, pixel_spacing
from medfl.imaging.dicom.header import DicomError, read_header
from medfl.imaging.dicom.preprocess import DicomImage, DicomPreprocessor
from medfl.imaging.dicom.scan import FileHeader
from medfl.imaging.dicom.tree import DicomTree, scan_tree
from medfl.imaging.dicom.values import attribute, attribute_tag

__all__ = [
    "DicomError",
    "DicomImage",
    "DicomPreprocessor",
    "DicomTree",
    "FileHeader",
    "attribute",
    "attribute_tag",
    "frame_count",
    "frame_header",
    "frame_pixels",
    "pixel_spacing",
    "read_header",
    "scan_tree",
]
