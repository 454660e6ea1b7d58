"""Make a volume on a regular grid of slices with gaps, uneven steps or a tilted gantry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medfl.errors import FileError
from medfl.imaging.dicom import frame_pixels, read_header
from medfl.imaging.pixels import Pixels
from medfl.imaging.volume.canonical import Spacing, Volume, finish, voxel_sizes
from medfl.imaging.volume.slices import Slice, cut_tiles, is_mosaic

SAME_PLACE = 0.01  # mm; slices nearer than this are copies of each other
UNEVEN = 0.05  # share of the step; rounding of positions in files stays below it
SKEW = 0.5  # pixels that slices may drift sideways over a whole stack without being moved back
MAX_MISSING = 0.25  # share of the slices above which too many are missing to be filled in
MAX_GROWTH = 2.0  # times as many slices as there are, beyond which uneven steps are not evened out
RECURRING = 3  # so many equal steps are how the series was scanned
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Stack:
    """Slices that make up one volume, along their normal, each place once.

    Attributes:
        slices: at least two, ascending.
        notes: how they were found among the rest of their series.
    """

    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        """The SeriesInstanceUID."""
        return self.slices[0].series

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in the order of the slices."""
        return tuple(dict.fromkeys(item.path for item in self.slices))


def read_stack(stack: Stack, spacing: Spacing | None = None, canonical: bool = True) -> Volume:
    """Decode a stack into a volume.

    Missing slices and uneven steps are filled by linear interpolation between the neighbours;
    slices that drift sideways (a tilted gantry) are moved back in their plane, so that the grid
    is rectangular; what that leaves empty is not ``valid``. All of it is noted.

    Args:
        stack: from ``plan_series`` or ``find_series``.
        spacing: the result's in mm, one number or (depth, height, width); None keeps it.
        canonical: turn the axes to superior, posterior, left.

    Raises:
        MedflError: a file cannot be decoded, more than a quarter of the slices are missing, or even
            steps would take more than twice as many slices.
    """
    first = stack.slices[0]
    notes = list(stack.notes)
    places = np.array([item.place for item in stack.slices])
    step, wanted = grid_of(places, notes, first.path)
    values, valid, shown, mosaic = _decode(stack)
    if mosaic:
        notes.append(f"a Siemens mosaic of {len(places)} tiles, taken apart")
    values, valid, origin = _straighten(stack, values, valid, notes)
    if len(wanted) != len(places) or not np.allclose(wanted, places, atol=UNEVEN * step):
        values, valid = _interpolate(values, valid, places, wanted)
    affine = plane_affine(first, step, origin)
    pixels = replace(  # window, range and inversion are the first slice's
        shown,
        values=values,
        spacing=voxel_sizes(affine),
        valid=None if valid.all() else valid,
    )
    files = tuple(item.path for item in stack.slices)
    if len(stack.files) == 1:
        files = stack.files
    return finish(Volume(pixels, affine, notes, files, first.frame), spacing, canonical)


def plane_affine(item: Slice, step: float, origin: np.ndarray) -> np.ndarray:
    """(4, 4) from (d, h, w, 1) to RAS+ mm, of slices ``step`` mm apart from ``origin`` (LPS)."""
    affine = np.eye(4)
    affine[:3, 0] = item.normal * step
    affine[:3, 1] = item.along[1] * item.spacing[0]
    affine[:3, 2] = item.along[0] * item.spacing[1]
    affine[:3, 3] = origin
    return LPS_TO_RAS @ affine


def grid_of(places: np.ndarray, notes: list[str], where: Path) -> tuple[float, np.ndarray]:
    """The step between slices in mm, and the places of a regular grid over all of them.

    The step is near the usual one; the first and the last slice stay where they are.

    Args:
        places: where the slices lie along their normal, mm, ascending.
        notes: takes what was found odd.
        where: a file of theirs, for errors.

    Raises:
        FileError: too many slices are missing.
    """
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    run = float(places[-1] - places[0])
    count = round(run / usual) + 1
    step = run / (count - 1)
    holes = np.rint(gaps / usual).astype(int) - 1
    whole = np.abs(gaps / usual - 1 - holes) <= UNEVEN
    lacking = (holes > 0) & ~_scanned_so(gaps, whole, UNEVEN * usual)
    missing = int(holes[lacking].sum())
    if missing > MAX_MISSING * count or count > MAX_GROWTH * len(places):
        made_up = max(missing, count - len(places))
        raise FileError(
            where,
            f"belongs to a series of which {made_up} of {count} slices are missing, too many to "
            "fill in",
        )
    for k in np.flatnonzero(lacking & whole):
        notes.append(
            f"{holes[k]} slice(s) missing between {places[k]:g} and {places[k + 1]:g} mm along the "
            "normal: interpolated"
        )
    if not (whole & (lacking | (holes == 0))).all():
        notes.append(
            f"uneven steps between slices, {gaps.min():g} to {gaps.max():g} mm: interpolated to "
            f"{step:.3g} mm"
        )
    return step, places[0] + step * np.arange(count)


def _scanned_so(gaps: np.ndarray, whole: np.ndarray, tolerance: float) -> np.ndarray:
    """Say of each step whether others of its size show that nothing is missing there.

    That is so where it stands in a row of equal ones (a head scanned in 4 mm below and 8 mm above),
    or where it recurs and is no multiple of the usual step (``whole``).
    """
    starts = np.flatnonzero(np.r_[True, np.abs(np.diff(gaps)) > tolerance])
    lengths = np.diff(np.r_[starts, len(gaps)])
    in_a_row = np.repeat(lengths, lengths)
    ordered = np.sort(gaps)
    alike = np.searchsorted(ordered, gaps + tolerance) - np.searchsorted(ordered, gaps - tolerance)
    return (in_a_row >= RECURRING) | (~whole & (alike >= RECURRING))


def _decode(stack: Stack) -> tuple[np.ndarray, np.ndarray, Pixels, bool]:
    """Decode all slices: (n, rows, columns) float32 and bool, the first, and is it a mosaic."""
    slices = stack.slices
    shape = (len(slices), *slices[0].shape)
    values, valid = np.empty(shape, np.float32), np.ones(shape, bool)
    first, mosaic = None, False
    members: dict[Path, list[int]] = {}
    for k, item in enumerate(slices):
        members.setdefault(item.path, []).append(k)
    for path, rows in members.items():  # each file is read once
        header = read_header(path, pixels=True)
        mosaic = is_mosaic(header)
        whole = frame_pixels(header, path) if mosaic else None
        for k in rows:
            index = slices[k].index
            pixels = frame_pixels(header, path, index) if whole is None else _tile(whole, slices[k])
            if pixels.values.shape != shape[1:]:
                raise FileError(path, "is not of the size that its header states")
            values[k] = pixels.values
            if pixels.valid is not None:
                valid[k] = pixels.valid
            first = first or pixels
    assert first is not None
    return values, valid, first, mosaic


def _tile(mosaic: Pixels, item: Slice) -> Pixels:
    valid = mosaic.valid
    return replace(
        mosaic,
        values=cut_tiles(mosaic.values, item.shape)[item.index],
        valid=None if valid is None else cut_tiles(valid, item.shape)[item.index],
    )


def _straighten(
    stack: Stack, values: np.ndarray, valid: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move slices back under each other; also gives where the grid's first voxel lies (LPS).

    The slices of a tilted gantry are parallel, but each begins a bit to the side of the one
    before. In its own plane each is moved to where the middle slice's columns meet it.
    """
    from scipy import ndimage

    slices = stack.slices
    first, middle = slices[0], slices[len(slices) // 2]
    from_middle = np.array([item.position - middle.position for item in slices])
    sideways = from_middle @ first.along.T  # (n, 2): along columns' index, along rows' index
    pixels = sideways[:, ::-1] / np.array(first.spacing)  # (n, 2): rows, columns
    drift = np.ptp(pixels, axis=0).max()
    stated = max((item.tilt for item in slices), key=abs)
    origin = middle.position + (first.place - middle.place) * first.normal
    if drift <= SKEW:
        if stated:
            notes.append(f"a gantry tilt of {stated:g}° is stated, but the slices stand square")
        return values, valid, origin
    run = slices[-1].place - slices[0].place
    angle = np.degrees(np.arctan2(np.linalg.norm(sideways[-1] - sideways[0]), run))
    notes.append(
        f"slices drift sideways by {drift:.1f} pixels ({angle:.1f}° from their normal; the stated "
        f"gantry tilt is {stated:g}°): moved back in their planes"
    )
    for k, shift in enumerate(pixels):
        fill = float(values[k].min())
        values[k] = ndimage.shift(values[k], shift, order=1, mode="constant", cval=fill)
        inside = ndimage.shift(valid[k].astype(np.float32), shift, order=1, mode="constant")
        valid[k] = inside > 0.99
    return values, valid, origin


def _interpolate(
    values: np.ndarray, valid: np.ndarray, places: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Make slices at the ``wanted`` places, linearly between the nearest two."""
    where = np.interp(wanted, places, np.arange(len(places)))
    below = np.minimum(where.astype(int), len(places) - 2)
    weight = (where - below).astype(np.float32)[:, None, None]
    mixed = values[below] * (1 - weight) + values[below + 1] * weight
    return mixed, (valid[below] | (weight == 1)) & (valid[below + 1] | (weight == 0))
