"""Volumes: DICOM series and NIfTI files, in one canonical frame, with their spacing in mm."""

from medfl.data.volume.canonical import Volume, canonical, resample
from medfl.data.volume.nifti import is_nifti, read_nifti
from medfl.data.volume.preprocess import VolumePreprocessor
from medfl.data.volume.series import find_series, plan_series, read_series
from medfl.data.volume.stack import Stack, read_stack

__all__ = [
    "Stack",
    "Volume",
    "VolumePreprocessor",
    "canonical",
    "find_series",
    "is_nifti",
    "plan_series",
    "read_nifti",
    "read_series",
    "read_stack",
    "resample",
]
