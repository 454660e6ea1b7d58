"""Read NIfTI files (.nii, .nii.gz, .hdr with .img) with nibabel, in the canonical frame."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from medfl.errors import FileError, Reason, failure
from medfl.files.bounds import refuse_swelling
from medfl.imaging.kinds import voxels_of
from medfl.imaging.numbers import only_numbers, remark_if_lost
from medfl.imaging.pixels import Pixels
from medfl.imaging.quiet import be_quiet
from medfl.imaging.remarks import collecting
from medfl.imaging.volume.canonical import Spacing, Volume, finish, voxel_sizes
from medfl.imaging.volume.nifti_frame import frame_of
from medfl.imaging.volume.nifti_header import refuse_header
from medfl.imaging.volume.slab import upright


@dataclass(frozen=True)
class Nifti:
    """A NIfTI file of which only the header was read.

    Attributes:
        path: the file.
        shape: its voxels along the three axes; 1 where it has fewer than three.
        affine: (4, 4) from the indices of ``shape`` to RAS+ mm.
        frame: which world that is: ``scanner``, a template's name, or empty where the file states
            none.
        notes: what is odd about it.
        image: nibabel's image, whose voxels are read when they are asked for.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: np.ndarray
    frame: str
    notes: tuple[str, ...]
    image: Any

    @property
    def is_flat(self) -> bool:
        """Whether it is one slice: an image, and no volume."""
        return min(self.shape) == 1


def open_nifti(path: str | os.PathLike[str]) -> Nifti:
    """Read the header of a NIfTI-1 or -2 file, or of an ANALYZE file, which states no frame.

    Raises:
        FileError: the file is missing, damaged or of another kind; says that more than is sane
            stands before its voxels; holds no grey values (colour, vectors, complex numbers) or no
            voxels; or has an affine from which no voxel's size follows (NaN, singular).
    """
    import nibabel
    from nibabel.analyze import AnalyzeImage

    be_quiet()  # what nibabel mends is in our notes
    path = Path(path)
    if not path.is_file():
        raise FileError(path, "does not exist, though a NIfTI file is looked for there")
    voxels = voxels_of(path)
    if voxels is not None and not voxels.is_file():
        raise FileError(path, "is a header whose voxels (.img) are not beside it")
    refuse_header(path)
    try:
        image: Any = nibabel.load(path)
    except Exception as error:  # nibabel reports damage by errors of many kinds
        raise FileError(path, f"is damaged, or no NIfTI file: {failure(error)}") from None
    if not isinstance(image, AnalyzeImage):  # nibabel's NIfTI classes are based on it
        raise FileError(path, f"is no NIfTI file, but {type(image).__name__}")
    kind, shape = image.get_data_dtype(), tuple(int(side) for side in image.shape)
    if kind.fields or kind.kind == "c":
        raise FileError(path, "holds colours or complex numbers; volumes are grey")
    sides = (*shape, 1, 1)[:3]
    if len(shape) < 2 or min(shape) < 1 or max(shape[4:], default=1) > 1 or sorted(sides)[1] < 2:
        raise FileError(path, f"is no volume: its shape is {_words(shape)}")
    affine, frame, notes = frame_of(image, sides, path)
    count = int(np.prod(shape[3:]))
    if count > 1:
        notes.insert(0, f"the first of {count} volumes in the file")
    return Nifti(path, (sides[0], sides[1], sides[2]), affine, frame, tuple(notes), image)


def read_nifti(
    path: str | os.PathLike[str], spacing: Spacing | None = None, canonical: bool = True
) -> Volume:
    """Read a NIfTI file as a volume; scl_slope and scl_inter are applied.

    From a 4-D file (time points, b-values) the first volume is read, and the notes say so.

    Args:
        path: the file.
        spacing: the result's in mm, one number or (depth, height, width); None keeps it.
        canonical: turn the axes to superior, posterior, left; else they are as stored.

    Raises:
        FileError: as ``open_nifti``; the file is one slice; or its voxels cannot be read, swell to
            more than is sane, or none of them is a number.
    """
    nifti = open_nifti(path)
    if nifti.is_flat:
        raise FileError(nifti.path, f"is no volume: its shape is {_words(nifti.image.shape)}")
    return finish(_voxels(nifti), spacing, canonical)


def read_nifti_or_slice(path: str | os.PathLike[str]) -> Volume:
    """Read a volume as ``read_nifti`` does, or one slice, upright, as a volume of depth 1."""
    nifti = open_nifti(path)
    volume = _voxels(nifti)
    return upright(volume) if nifti.is_flat else finish(volume, None, True)


def _voxels(nifti: Nifti) -> Volume:
    extra = len(nifti.image.shape) - 3
    kind, file = nifti.image.get_data_dtype(), voxels_of(nifti.path) or nifti.path
    refuse_swelling(nifti.path, prod(nifti.shape) * kind.itemsize, file.stat().st_size)
    try:  # only the first volume of 4-D data is read from the disk
        stored = nifti.image.dataobj[(..., *[0] * extra)]
    except Exception as error:  # gzip, zlib, mmap and numpy each report truncation in their way
        raise FileError(nifti.path, f"is damaged: {failure(error)}") from None
    try:
        with collecting() as remarks:
            values, valid = only_numbers(np.asarray(stored).reshape(nifti.shape))
            if values.min() == values.max():  # an intercept may have swallowed what is stored
                remark_if_lost(np.asarray(nifti.image.dataobj.get_unscaled()), [values])
    except Reason as error:
        no_number = "holds no number: all its voxels are NaN or infinite"
        raise FileError(nifti.path, no_number) from error
    # As a picture's, 8 bits are made to be looked at.
    whole = np.asarray(stored).dtype == np.uint8 and nifti.is_flat
    pixels = Pixels(
        values,
        voxel_sizes(nifti.affine),
        value_range=(0.0, 255.0) if whole else None,
        valid=valid,
    )
    return Volume(pixels, nifti.affine, [*nifti.notes, *remarks], (nifti.path,), nifti.frame)


def _words(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
