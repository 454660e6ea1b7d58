"""Tiny DICOM series, written slice by slice, whose voxels say where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
# A value is this linear function of the place (LPS, mm): interpolation keeps it exactly.
SLOPES, OFFSET = np.array([3.0, 5.0, 7.0]), 1000.0


def truth(places: np.ndarray) -> np.ndarray:
    """The value at places (…, 3), LPS mm."""
    return places @ SLOPES + OFFSET


def plane(position, orientation=AXIAL, spacing=(2.0, 1.0), shape=(6, 8)) -> np.ndarray:
    """``truth`` at the centres of a slice's pixels, (rows, columns)."""
    row, column = np.reshape(orientation, (2, 3))
    r, c = np.indices(shape)[:, ..., None]
    places = np.asarray(position) + r * spacing[0] * column + c * spacing[1] * row
    return truth(places)


def header(series: str, **attributes: Any) -> Dataset:
    """What every file here states."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", series
    ds.Modality, ds.PatientID = "CT", "p"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds


def write_slice(
    path: Path,
    position,
    orientation=AXIAL,
    spacing=(2.0, 1.0),
    values: np.ndarray | None = None,
    series: str = "1.2.3.4",
    **attributes: Any,
) -> Path:
    """One file; its pixels are ``truth`` unless ``values`` are given (stored as ×10 - 500)."""
    values = plane(position, orientation, spacing) if values is None else values
    ds = header(series, RescaleSlope="0.1", RescaleIntercept="-500", **attributes)
    ds.ImagePositionPatient = [f"{x:.10g}" for x in position]
    ds.ImageOrientationPatient = [f"{x:.10g}" for x in orientation]
    ds.PixelSpacing = [str(x) for x in spacing]
    ds.Rows, ds.Columns = values.shape
    ds.PixelData = np.rint((values + 500) * 10).astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, positions, numbers=None, orientation=AXIAL, **attributes: Any
) -> list[Path]:
    """A file for each position, with shuffled instance numbers unless ``numbers`` are given."""
    count = len(positions)
    numbers = numbers or [(7 * k) % count + 1 for k in range(count)]  # count is no multiple of 7
    return [
        write_slice(folder / f"{k:02}.dcm", p, orientation, InstanceNumber=number, **attributes)
        for k, (p, number) in enumerate(zip(positions, numbers, strict=True))
    ]


def lps_of(affine: np.ndarray, shape) -> np.ndarray:
    """LPS places of all voxels of a grid whose affine maps indices to RAS, (D, H, W, 3)."""
    indices = np.moveaxis(np.indices(shape), 0, -1)
    return (indices @ affine[:3, :3].T + affine[:3, 3]) * np.array([-1, -1, 1])
