"""Images come in: raw files of many formats become one memory-mapped store a dataset."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medfl.data.dicom import DicomPreprocessor
    from medfl.data.loader import MedicalDataLoader, prepare
    from medfl.data.own.custom import CustomMedicalDataset, CustomSample
    from medfl.data.store import DatasetInfo, Sample, Store
    from medfl.data.writer import write_store

_HOMES = {
    "CustomMedicalDataset": "own.custom",
    "CustomSample": "own.custom",
    "DatasetInfo": "store",
    "DicomPreprocessor": "dicom",
    "MedicalDataLoader": "loader",
    "Sample": "store",
    "Store": "store",
    "prepare": "loader",
    "write_store": "writer",
}

__all__ = [
    "CustomMedicalDataset",
    "CustomSample",
    "DatasetInfo",
    "DicomPreprocessor",
    "MedicalDataLoader",
    "Sample",
    "Store",
    "prepare",
    "write_store",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: pydicom and Pillow are not needed by a run."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
