"""Read DICOM series and NIfTI files as volumes in one canonical frame, with spacing in mm."""

from medfl.imaging.volume.canonical import Volume, canonical, resample
from medfl.imaging.volume.nifti import open_nifti, read_nifti, read_nifti_or_slice
from medfl.imaging.volume.preprocess import VolumePreprocessor
from medfl.imaging.volume.series import find_series, plan_series, read_series
from medfl.imaging.volume.slab import as_image
from medfl.imaging.volume.stack import Stack, read_stack

__all__ = [
    "Stack",
    "Volume",
    "VolumePreprocessor",
    "as_image",
    "canonical",
    "find_series",
    "open_nifti",
    "plan_series",
    "read_nifti",
    "read_nifti_or_slice",
    "read_series",
    "read_stack",
    "resample",
]
