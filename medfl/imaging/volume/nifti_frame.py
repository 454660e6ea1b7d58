"""Where a NIfTI file says that its voxels lie: sform before qform, in mm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from medfl.errors import FileError
from medfl.imaging.volume.canonical import voxel_sizes

UNITS = {0: "unknown", 1: "meter", 2: "mm", 3: "micron"}
"""The lowest three bits of xyzt_units."""

MM = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}

# Files of codes 1 and 2 lie in the scanner's world, as it was or aligned to another file's.
FRAMES = {1: "scanner", 2: "scanner", 3: "talairach", 4: "mni", 5: "template"}

SMALLEST, LARGEST = 1e-6, 1e6
"""Sizes of a voxel in mm between which a file is believed."""

FLAT = 1e-6
"""Volume of a voxel with sides of 1, below which its axes lie in one plane."""


def frame_of(image: Any, sides: tuple[int, ...], path: Path) -> tuple[np.ndarray, str, list[str]]:
    """Give the affine (4, 4) in mm, the name of its world (``FRAMES``) and what is odd about it.

    Args:
        image: nibabel's, NIfTI or ANALYZE.
        sides: its voxels along three axes. The affine's column of an axis of one voxel means
            nothing: where it is none, it becomes 1 mm across the others.
        path: the file, for errors.

    Raises:
        FileError: the affine holds NaN, or is singular, or voxels have an impossible size.
    """
    notes: list[str] = []
    header, affine = image.header, np.array(image.affine, dtype=float)
    as_written = _as_written(image, path)
    if not hasattr(header, "get_sform"):
        notes.append("an ANALYZE file does not state which way its axes run: a guess (nibabel's)")
        frame = ""
    else:
        affine, frame = _stated(header, affine, notes)
        slope = float(as_written["scl_slope"])
        if np.isinf(slope) or np.isinf(float(as_written["scl_inter"])):
            notes.append("its scl_slope or scl_inter is infinite: voxels are read as stored")
    steps = [step for step, side in zip(as_written["pixdim"][1:4], sides, strict=True) if side > 1]
    if not all(steps) and not header.get("sform_code"):
        notes.append("voxel sizes of 0 are taken for 1 mm")
    lone = [axis for axis in range(3) if sides[axis] == 1]
    if len(lone) == 1:
        affine = _with_normal(affine, lone[0])
    with np.errstate(all="ignore"):
        sizes = np.array(voxel_sizes(affine))
        columns = affine[:3, :3] / sizes
        good = np.isfinite(affine).all() and abs(np.linalg.det(columns)) > FLAT
    if not good:
        raise FileError(path, "has a singular affine, or one of NaN: its voxels have no size")
    if sizes.min() < SMALLEST or sizes.max() > LARGEST:
        raise FileError(path, "has voxels of an impossible size (by its affine)")
    if not np.allclose(columns.T @ columns, np.eye(3), atol=0.01):
        notes.append("the axes are not at right angles (a sheared affine): left as they are")
    return affine, frame, notes


def _as_written(image: Any, path: Path) -> Any:
    """The header before nibabel mended it, which it does with a line in its own log."""
    from nibabel.openers import ImageOpener

    with ImageOpener(str(path)) as file:
        return type(image.header).from_fileobj(file, check=False)


def _stated(header: Any, affine: np.ndarray, notes: list[str]) -> tuple[np.ndarray, str]:
    """The affine in mm and its world, by a NIfTI header; notes what is odd."""
    codes = {name: int(header[f"{name}_code"]) for name in ("sform", "qform")}
    if not any(codes.values()):
        notes.append(
            "neither sform nor qform is set: which way the axes run is a guess (nibabel's), and "
            "left and right may be swapped"
        )
    elif all(codes.values()):
        try:
            same = np.allclose(header.get_qform(), header.get_sform(), atol=0.01)
        except Exception:  # its rotation is none
            same = False
        if not same:
            notes.append("sform and qform differ: sform was used")
    unit = UNITS.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        notes.append("the unit of its lengths is unknown: taken for mm")
    elif MM[unit] != 1:
        affine[:3] *= MM[unit]
        notes.append(f"lengths are in {unit}s: converted to mm")
    return affine, FRAMES.get(codes["sform"] or codes["qform"], "")


def _with_normal(affine: np.ndarray, axis: int) -> np.ndarray:
    """The affine with 1 mm across the other two axes, where the axis of one voxel has no size."""
    others = [affine[:3, k] for k in range(3) if k != axis]
    normal = np.cross(others[1], others[0]) if axis == 1 else np.cross(others[0], others[1])
    across = affine[:3, axis]
    with np.errstate(all="ignore"):
        turned = abs(across @ normal) / np.linalg.norm(across) / np.linalg.norm(normal)
        if turned > FLAT and np.isfinite(across).all():
            return affine
        mended = affine.copy()
        mended[:3, axis] = normal / np.linalg.norm(normal)
    return mended
