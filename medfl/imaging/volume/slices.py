"""Read from DICOM files where each of their images lies.

A file holds one image, or frames with functional groups (PS3.3 C.7.6.16), or the tiles of a
Siemens mosaic.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.errors import FileError, MedflError
from medfl.imaging.dicom import frame_count, read_header

if TYPE_CHECKING:
    from pydicom import Dataset

# A series may hold several stacks at the same places, by these attributes, the likeliest first.
REPEATS = {
    "TemporalPositionIdentifier": "temporal position",
    "TemporalPositionIndex": "temporal position",
    "DiffusionBValue": "b-value",
    "TriggerTime": "trigger time",
    "NominalCardiacTriggerDelayTime": "trigger delay",
    "AcquisitionNumber": "acquisition",
    "StackID": "stack",
}


@dataclass(frozen=True)
class Slice:
    """One slice of a stack, before its pixels are read.

    Attributes:
        path: its file.
        index: its frame or tile in the file, from 0.
        uid: SOP instance, the same for all frames of a file.
        series: SeriesInstanceUID.
        position: centre of its first pixel, mm, DICOM's patient frame (LPS).
        along: unit vectors in the direction of increasing column and row index, (2, 3).
        spacing: height and width of a pixel, mm.
        shape: rows and columns.
        kind: what slices of one volume must share: image type, echo time, for mosaics the file.
        repeats: attributes of ``REPEATS`` by name.
        number: InstanceNumber, with the frame after it: the order of acquisition.
        tilt: GantryDetectorTilt in degrees, 0 where there is none.
        frame: FrameOfReferenceUID, the world of ``position``; empty where none is stated.
    """

    path: Path
    index: int
    uid: str
    series: str
    position: np.ndarray
    along: np.ndarray
    spacing: tuple[float, float]
    shape: tuple[int, int]
    kind: tuple[str, ...]
    repeats: dict[str, str]
    number: tuple[int, int]
    tilt: float = 0.0
    frame: str = field(default="", repr=False)

    @cached_property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice: rows × columns, to the head for the usual axial one."""
        across = np.cross(self.along[0], self.along[1])
        return across / np.linalg.norm(across)

    @property
    def is_localiser(self) -> bool:
        """Whether it is of a scout, by which others are planned (PS3.3 C.8.2.1.1.1, C.8.3.1.1)."""
        return "LOCALIZER" in self.kind[0].upper().split("\\")

    @cached_property
    def place(self) -> float:
        """Position along the normal, mm."""
        return float(self.position @ self.normal)


def read_slices(path: Path) -> list[Slice]:
    """The slices that a file holds; ``MedflError`` where it holds none that a volume can use."""
    return slices_in(read_header(path), path)


def slices_in(header: Dataset, path: Path) -> list[Slice]:
    """Do what ``read_slices`` does with a header that was read already; ``path`` is its file."""
    if "Rows" not in header or "Columns" not in header:
        raise FileError(path, "holds no image")
    if int(header.get("SamplesPerPixel") or 1) != 1 or "PALETTE" in str(
        header.get("PhotometricInterpretation")
    ):
        raise FileError(path, "is in colour; volumes are made of grey slices")
    if is_mosaic(header):
        return _tiles(header, path)
    frames = frame_count(header)
    if frames > 1 and len(header.get("PerFrameFunctionalGroupsSequence") or []) != frames:
        raise FileError(
            path,
            f"has {frames} frames that do not state where they lie (a cine loop, or an object "
            "without functional groups), so they have no place in a volume",
        )
    return [slice_of(_all_of(header, k), path, k) for k in range(frames)]


def is_mosaic(header: Dataset) -> bool:
    """Whether a file is Siemens' mosaic: the slices of a volume side by side in one image."""
    return "MOSAIC" in [str(word).upper() for word in header.get("ImageType") or []]


def _all_of(header: Dataset, frame: int) -> Dataset:
    """Put all attributes of one frame at the top level, from whichever functional group.

    This takes over more than ``frame_header``: also what tells frames apart (echo, time, b-value).
    """
    groups = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    groups += list(header.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]
    if not groups:
        return header
    from pydicom import Dataset

    flat = Dataset(header)
    for group in groups:
        for element in group:
            if element.VR == "SQ":
                for item in list(element.value)[:1]:
                    flat.update(item)
    return flat


def slice_of(header: Dataset, path: Path, index: int) -> Slice:
    """Where one image of a file lies, by attributes at the top level of ``header``.

    Raises:
        MedflError: it states no place, or an impossible one.
    """
    position = _numbers(header, "ImagePositionPatient", 3)
    orientation = _numbers(header, "ImageOrientationPatient", 6)
    spacing = _numbers(header, "PixelSpacing", 2)
    for name, value in (
        ("position", position),
        ("orientation", orientation),
        ("pixel spacing", spacing),
    ):
        if value is None:
            raise FileError(path, f"states no {name}, so it has no place in a volume")
    assert position is not None
    assert orientation is not None
    assert spacing is not None
    along = orientation.reshape(2, 3)
    lengths = np.linalg.norm(along, axis=1)
    if (abs(lengths - 1) > 0.01).any() or abs(along[0] @ along[1]) > 0.01 or (spacing <= 0).any():
        raise FileError(path, "has an orientation or pixel spacing that is impossible")
    echo = header.get("EchoTime", header.get("EffectiveEchoTime"))
    words = [str(word) for word in header.get("FrameType") or header.get("ImageType") or []]
    return Slice(
        path=path,
        index=index,
        uid=str(header.get("SOPInstanceUID", "")),
        series=str(header.get("SeriesInstanceUID", "")),
        position=position,
        along=along / lengths[:, None],
        spacing=(float(spacing[0]), float(spacing[1])),
        shape=(int(header.Rows), int(header.Columns)),
        kind=("\\".join(words), "" if echo in (None, "") else f"{float(echo):.3f}"),
        repeats={name: str(header[name].value) for name in REPEATS if header.get(name) is not None},
        number=(int(header.get("InstanceNumber") or 0), index),
        tilt=float(header.get("GantryDetectorTilt") or 0),
        frame=str(header.get("FrameOfReferenceUID") or ""),
    )


def _tiles(header: Dataset, path: Path) -> list[Slice]:
    """Find the slices of a Siemens mosaic by its private (CSA) header, which nibabel reads.

    The image position of a mosaic is that of an image of the mosaic's size round the slice's
    centre; nibabel puts that right.
    """
    with warnings.catch_warnings(action="ignore"):  # nibabel warns that these are experimental
        from nibabel.nicom.dicomwrappers import MosaicWrapper, wrapper_from_data

    try:
        mosaic = wrapper_from_data(header)
        if not isinstance(mosaic, MosaicWrapper):
            raise ValueError
        rows, columns, count = mosaic.image_shape
        origin, step = mosaic.affine[:3, 3], mosaic.affine[:3, 2]
        single = slice_of(header, path, 0)
    except MedflError:
        raise
    except Exception:  # nibabel's errors are of many kinds, some of them bare
        raise FileError(
            path,
            "is a Siemens mosaic whose private header, which says how to take it apart, is missing "
            "or damaged (anonymisers often remove it)",
        ) from None
    return [
        Slice(
            path=path,
            index=k,
            uid=single.uid,
            series=single.series,
            position=np.asarray(origin + k * step, dtype=float),
            along=single.along,
            spacing=single.spacing,
            shape=(int(rows), int(columns)),
            kind=(*single.kind, str(path)),
            repeats={},
            number=(single.number[0], k),
            frame=single.frame,
        )
        for k in range(count)
    ]


def cut_tiles(mosaic: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cut a mosaic (R, C) into its tiles (n², rows, columns), row by row; the last may be empty."""
    rows, columns = shape
    side = mosaic.shape[0] // rows
    tiles = mosaic.reshape(side, rows, side, columns).transpose(0, 2, 1, 3)
    return tiles.reshape(side * side, rows, columns)


def _numbers(header: Dataset, name: str, count: int) -> np.ndarray | None:
    value: Any = header.get(name)
    try:
        numbers = [float(part) for part in value]
    except (TypeError, ValueError):
        return None
    return np.array(numbers) if len(numbers) == count and all(map(math.isfinite, numbers)) else None
