"""Read NIfTI files (.nii, .nii.gz) with nibabel, as volumes in the canonical frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medfl.errors import FileError, failure
from medfl.imaging.pixels import Pixels
from medfl.imaging.quiet import be_quiet
from medfl.imaging.volume.canonical import Spacing, Volume, finish, voxel_sizes

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

MM = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


def read_nifti(
    path: str | os.PathLike[str], spacing: Spacing | None = None, canonical: bool = True
) -> Volume:
    """Read a NIfTI-1 or -2 file; scl_slope and scl_inter are applied.

    From a 4-D file (time points, b-values) the first volume is read, and the notes say so.

    Args:
        path: the file.
        spacing: of the result in mm, one number or (depth, height, width); None keeps it.
        canonical: turn the axes to superior, posterior, left; else they are as stored.

    Raises:
        MedflError: the file is missing, damaged or no NIfTI; is no volume (a picture, colour,
            vectors, complex numbers); or its affine is singular.
    """
    import nibabel
    from nibabel.nifti1 import Nifti1Pair

    be_quiet()
    path = Path(path)
    if not path.is_file():
        raise FileError(path, "does not exist, though a NIfTI file is looked for there")
    try:
        image: Any = nibabel.load(path)
    except Exception as error:  # nibabel reports damage by many
        raise FileError(path, f"is damaged, or no NIfTI file: {failure(error)}") from None
    if not isinstance(image, Nifti1Pair):
        raise FileError(path, f"is no NIfTI file, but {type(image).__name__}")
    notes: list[str] = []
    shape = image.shape
    if image.get_data_dtype().fields or image.get_data_dtype().kind == "c":
        raise FileError(path, "holds colours or complex numbers; volumes are grey")
    if len(shape) < 3 or (len(shape) > 4 and max(shape[4:]) > 1) or min(shape[:3]) < 2:
        raise FileError(path, f"is no volume: its shape is {'×'.join(map(str, shape))}")
    count = int(np.prod(shape[3:]))
    if count > 1:
        notes.append(f"the first of {count} volumes in the file")
    try:  # only the first volume of 4-D data is read from the disk
        stored = image.dataobj[(..., *[0] * (len(shape) - 3))]
    except Exception as error:  # gzip, zlib, mmap and numpy each report truncation in their way
        raise FileError(path, f"is damaged: {failure(error)}") from None
    values = np.asarray(stored, dtype=np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        if not finite.any():
            raise FileError(path, "holds no number: all its voxels are NaN or infinite")
        notes.append(f"{int((~finite).sum())} voxels are not numbers: taken for padding")
        values = np.where(finite, values, values[finite].min())
    affine = _affine(image.header, image.affine, path, notes)
    pixels = Pixels(values, voxel_sizes(affine), valid=None if finite.all() else finite)
    return finish(Volume(pixels, affine, notes, (path,)), spacing, canonical)


def _affine(header: Nifti1Header, affine: np.ndarray, path: Path, notes: list[str]) -> np.ndarray:
    """The affine in mm that the file asks for (sform before qform), and what is odd about it."""
    affine = np.array(affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise FileError(path, "has a singular affine, so its voxels have no size")
    qform, sform = header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]
    if qform is None and sform is None:
        notes.append(
            "neither sform nor qform is set: which way the axes run is a guess (nibabel's), and "
            "left and right may be swapped"
        )
    elif qform is not None and sform is not None and not np.allclose(qform, sform, atol=0.01):
        notes.append("sform and qform differ: sform was used")
    unit = header.get_xyzt_units()[0]
    if MM[unit] != 1:
        affine[:3] *= MM[unit]
        notes.append(f"lengths are in {unit}s: converted to mm")
    columns = affine[:3, :3] / np.asarray(voxel_sizes(affine))
    if not np.allclose(columns.T @ columns, np.eye(3), atol=0.01):
        notes.append("the axes are not at right angles (a sheared affine): left as they are")
    return affine
