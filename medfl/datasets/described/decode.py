"""Decode a file or array of any kind to what the store holds."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from medfl.datasets.described.together import Together
from medfl.errors import FileError, MedflError, failure
from medfl.files.bounds import refuse_swelling
from medfl.files.regular import regular
from medfl.imaging.dicom import DicomPreprocessor
from medfl.imaging.images import read_pixels, stored_range
from medfl.imaging.kinds import kind_of
from medfl.imaging.modality import Preprocess, least_side, to_store
from medfl.imaging.modality.geometry import cut, inner_box
from medfl.imaging.numbers import only_numbers
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import remark
from medfl.imaging.volume import VolumePreprocessor, as_image, read_nifti_or_slice, read_stack
from medfl.imaging.volume.slab import slab_place
from medfl.imaging.volume.together import Placed, in_one_frame

if TYPE_CHECKING:
    from medfl.imaging.dicom.preprocess import Frame
    from medfl.imaging.volume import Stack, Volume


@dataclass(frozen=True)
class Reader:
    """Decodes a source: a path, an array, or a tuple of such or of tuples of slices.

    Attributes:
        settings: how pixels are made, for each modality in turn.
        size: side of the result.
        stacks: volumes by their files, where the slices were sorted already.
        frame: which one to take from a DICOM file of several.
        modalities: their names, where there are several.
        together: whether modalities must lie in one frame.
    """

    settings: tuple[Preprocess, ...]
    size: int
    stacks: Mapping[tuple[Path, ...], Stack] = field(default_factory=dict, repr=False)
    frame: Frame = "only"
    modalities: tuple[str, ...] = ()
    together: Together = "frame"

    def __call__(self, source: Any) -> np.ndarray:
        """Decode to (C, size, size), or (C, size, size, size): one modality after another."""
        parts = source if isinstance(source, tuple) else (source,)
        placed = [
            read_placed(part, self.stacks, self.frame, least_side(settings, self.size))
            for part, settings in zip(parts, self.settings, strict=True)
        ]
        if len({part.pixels.is_volume for part in placed}) > 1:
            raise MedflError("some of its modalities are volumes, and some are images.")
        pixels, settings = [part.pixels for part in placed], self.settings
        if len(placed) > 1 and self.together != "ignore":
            pixels, joined = in_one_frame(placed, self.modalities, self.together == "frame")
            if joined and self.together == "frame":
                pixels, settings = cropped_alike(pixels, settings)
        stored = [to_store(*one, self.size) for one in zip(pixels, settings, strict=True)]
        if len({image.dtype for image in stored}) > 1:  # some in the scanner's units
            raise MedflError("`intensity: raw` must be set for all modalities, or for none.")
        return stored[0] if len(stored) == 1 else np.concatenate(stored)


def cropped_alike(
    pixels: Sequence[Pixels], settings: Sequence[Preprocess]
) -> tuple[list[Pixels], tuple[Preprocess, ...]]:
    """Cut the margins off modalities of one grid, all alike: off each only what is margin in all.

    Returns:
        The pixels, and their settings without that step.
    """
    if len({one.fit for one in settings}) > 1 or any(one.sector_crop for one in settings):
        remark(["its modalities are cut or fitted in different ways, so a pixel is not one place"])
    if not any(one.crop_borders for one in settings):
        return list(pixels), tuple(settings)
    boxes = [
        inner_box(one) if setting.crop_borders else None
        for one, setting in zip(pixels, settings, strict=True)
    ]
    without = tuple(one.model_copy(update={"crop_borders": False}) for one in settings)
    found = [box for box in boxes if box is not None]
    if len(found) < len(boxes):  # one of them is kept whole
        return list(pixels), without
    box = tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*found, strict=True)
    )
    return [cut(one, box) for one in pixels], without


def read_placed(
    source: Any,
    stacks: Mapping[tuple[Path, ...], Stack] | None = None,
    frame: Frame = "only",
    least: int | None = None,
) -> Placed:
    """Read a file of any kind, a volume's slices, or an array, and where it says that it lies.

    ``least`` pixels each side of a photograph needs, which may then come out at less than its full
    resolution; None keeps it.
    """
    if isinstance(source, tuple):
        if stacks and source in stacks:
            return _heard(read_stack(stacks[source]))
        return _heard(VolumePreprocessor(1).read(source))
    if not isinstance(source, Path):
        return Placed(array_pixels(np.asarray(source), "the array"))
    kind = kind_of(source)
    if kind == "dicom":
        image = DicomPreprocessor(frame=frame).read(source)
        place = None if image.is_colour else slab_place(image.header, source)
        return Placed(image.content, *(place or ()))
    if kind == "nifti":
        return _heard(read_nifti_or_slice(source))
    return Placed(read_array(source) if kind == "npz" else read_pixels(source, least))


def read_any(
    source: Any,
    stacks: Mapping[tuple[Path, ...], Stack] | None = None,
    frame: Frame = "only",
) -> Pixels:
    """Read what ``read_placed`` does, at its full resolution."""
    return read_placed(source, stacks, frame).pixels


def _heard(volume: Volume) -> Placed:
    """Give the volume's pixels; what was noticed about it goes into ``prepare.json``."""
    remark(volume.notes)
    return Placed(as_image(volume.pixels), volume.affine, volume.frame)


def read_array(path: Path) -> Pixels:
    """Read a ``.npy`` file, or the array of a ``.npz`` file that is alone or called ``image``."""
    try:
        with open(path, "rb", opener=regular) as file:  # NumPy leaves a damaged archive open
            if not zipfile.is_zipfile(file):
                file.seek(0)
                refuse_swelling(path, _claimed(file), path.stat().st_size)
            file.seek(0)
            values = _only_array(np.load(file, allow_pickle=False), path)
    except FileNotFoundError as error:
        raise FileError(path, "does not exist") from error
    except MedflError:
        raise
    except Exception as error:  # numpy and zipfile report damage by many
        raise FileError(
            path, f"is a damaged array file, or holds Python objects ({failure(error)})"
        ) from None
    return array_pixels(values, str(path))


def _only_array(loaded: Any, path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, or that of an archive which is meant."""
    if isinstance(loaded, np.ndarray):
        return loaded
    names = loaded.files
    name = "image" if "image" in names else names[0]
    if name != "image" and len(names) != 1:
        raise FileError(
            path,
            f"holds {len(names)} arrays, none of them called `image`: one image per file was "
            "expected",
        )
    member = loaded.zip.getinfo(f"{name}.npy")
    refuse_swelling(path, member.file_size, member.compress_size)
    with loaded.zip.open(member) as file:
        refuse_swelling(path, _claimed(file), member.file_size)
    values: np.ndarray = loaded[name]
    return values


def _claimed(file: IO[bytes]) -> int:
    """Bytes that the header of an ``.npy`` file says its array has."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    shape, _, kind = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    return prod(shape) * int(kind.itemsize)


def array_pixels(values: np.ndarray, name: str) -> Pixels:
    """Take (H, W), (1, H, W), (H, W, 1) as grey, (3, H, W), (H, W, 3) as colour, else a volume."""
    if values.dtype == bool or values.dtype.kind not in "uif" or not values.size:
        raise MedflError(f"{name} holds {values.dtype} of shape {values.shape}, no image.")
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    elif values.ndim == 3 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    elif values.ndim == 3 and values.shape[0] == 3 and values.shape[-1] != 3:
        values = np.moveaxis(values, 0, -1)
    if values.ndim not in (2, 3):
        raise MedflError(
            f"{name} has the shape {values.shape}: expected (H, W), (H, W, 3), (3, H, W) or "
            "(D, H, W)."
        )
    colour = values.ndim == 3 and values.shape[-1] == 3
    try:
        numbers, valid = only_numbers(values, colour=colour)
    except ValueError as error:
        raise MedflError(f"{name} holds no number: all its values are NaN or infinite.") from error
    bounds = stored_range(values) if values.dtype != np.uint8 else (0.0, 255.0)
    if colour:
        if bounds is None:
            raise MedflError(f"{name} is of three colours with values below 0 or above 65535.")
        numbers, bounds = numbers * np.float32(255 / bounds[1]), (0.0, 255.0)
    spacing = (1.0,) * (values.ndim - colour)
    return Pixels(numbers, spacing, value_range=bounds, valid=valid)


def channel_names(settings: Sequence[Preprocess], modalities: Sequence[str]) -> tuple[str, ...]:
    """Name channels ``t1``, ``lung`` or ``ct/lung``; an image of unnamed channels has no names."""
    if len(settings) == 1 and len(settings[0].windows) != settings[0].channel_count:
        return ()
    names = []
    for index, one in enumerate(settings):
        modality = modalities[index] if len(settings) > 1 else ""
        windows = [_window_name(window) for window in one.windows]
        if one.intensity != "window":
            windows = ["red", "green", "blue"] if one.channel_count == 3 else [""]
        if len(windows) != one.channel_count:
            windows = [f"{windows[0]}-{number}" for number in range(1, one.channel_count + 1)]
        names += ["/".join(filter(None, (modality, window))) for window in windows]
    return tuple(names) if all(names) else ()


def _window_name(window: str | tuple[float, float]) -> str:
    return window if isinstance(window, str) else f"{window[0]:g},{window[1]:g}"
