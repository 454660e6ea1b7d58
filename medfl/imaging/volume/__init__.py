"""Read DICOM series and NIfTI files as volumes in one canonical frame, with spacing in mm."""

from medfl.imaging.volume.canonical import Volume, canonical, resample
from medfl.imaging.volume.nifti import read_nifti
from medfl.imaging.volume.preprocess import VolumePreprocessor
from medfl.imaging.volume.series import find_series, plan_series, read_series
from medfl.imaging.volume.stack import Stack, read_stack

__all__ = [
    "Stack",
    "Volume",
    "VolumePreprocessor",
    "canonical",
    "find_series",
    "plan_series",
    "read_nifti",
    "read_series",
    "read_stack",
    "resample",
]
