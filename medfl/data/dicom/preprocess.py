"""DICOM files to pixels: modality units, then the display window, then square uint8 images.

The order of the grey-scale transformations is that of DICOM PS3.4 Annex N (modality LUT, VOI LUT,
presentation).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medfl.data.dicom.borders import content_box
from medfl.data.dicom.decode import frame_pixels
from medfl.data.dicom.frames import frame_count, frame_header
from medfl.data.dicom.header import PIXELS, DicomError, kind, read_header
from medfl.data.dicom.tables import look_up
from medfl.data.images import Fit, resize
from medfl.data.pixels import Pixels
from medfl.data.windows import apply_window, parse_window
from medfl.errors import MedflError

if TYPE_CHECKING:
    from pydicom import Dataset

Window = str | tuple[float, float]
Frame = Literal["only", "first", "middle"] | int
"""Which frame of a file: its only one, the first, the middle one, or a number from 0."""


@dataclass(frozen=True)
class DicomImage:
    """One decoded image.

    Attributes:
        header: all DICOM attributes, those of the frame at the top level.
        content: the pixels, and what is needed to show them.
    """

    header: Dataset
    content: Pixels

    @property
    def pixels(self) -> np.ndarray:
        """(H, W) float32 in modality units, or (H, W, 3) float32 in [0, 255] for colour."""
        return self.content.values

    @property
    def spacing(self) -> tuple[float, ...]:
        """Height and width of a pixel, mm where the file states them, else their ratio."""
        return self.content.spacing

    @property
    def is_colour(self) -> bool:
        """Three channels."""
        return self.content.is_colour

    @property
    def is_inverted(self) -> bool:
        """MONOCHROME1: the lowest value is shown white."""
        return self.content.inverted


class DicomPreprocessor:
    """Reads DICOM files of 1 to 32 bits, grey or colour, signed or not, of one frame or several.

    Args:
        size: side of the square result in pixels; None keeps the matrix as it is.
        window: a preset of ``CT_WINDOWS`` or (centre, width) in modality units; None takes the
            file's own VOI LUT or window, else the full range of 8-bit data, else the 0.5th to
            99.5th percentile.
        channels: 1 (colour becomes luminance) or 3 (grey is repeated).
        fit: what happens to an oblong image; anatomy at the border matters, so it is padded.
        windows: several windows, each of which becomes a channel; in place of ``window`` and
            ``channels``.
        frame: the frame that a call takes; ``"only"`` refuses a file of several.
        crop_borders: cut off a uniform black or white frame around the image.
    """

    def __init__(
        self,
        size: int | None = None,
        window: Window | None = None,
        channels: Literal[1, 3] = 1,
        fit: Fit = "pad",
        windows: Sequence[Window] | None = None,
        frame: Frame = "only",
        crop_borders: bool = False,
    ) -> None:
        if windows is not None and (window is not None or channels != 1):
            raise MedflError("give either `windows` (a channel each), or `window` and `channels`.")
        if windows is not None and (isinstance(windows, str) or not windows):
            raise MedflError("`windows` must be a list of windows, such as [lung, soft_tissue].")
        if isinstance(frame, str) and frame not in ("only", "first", "middle"):
            raise MedflError(f"`frame` must be only, first, middle or a number, not `{frame}`.")
        self.size = size
        self.window = None if window is None else parse_window(window)
        self.windows = None if windows is None else [parse_window(word) for word in windows]
        self.channels = channels
        self.fit: Fit = fit
        self.frame: Frame = frame
        self.crop_borders = crop_borders

    def __call__(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Read, window and resize one image: (channels, size, size) uint8, bright = dense."""
        return self._levels(self.pixels(path), path)

    def stack(self, path: str | os.PathLike[str]) -> np.ndarray:
        """All frames of a file: (frames, channels, size, size) uint8."""
        frames = list(self.frames(path))
        shapes = {image.values.shape for image in frames}
        if self.size is None and len(shapes) > 1:
            raise DicomError(path, "has frames of several sizes once cropped: give a `size`")
        return np.stack([self._levels(image, path) for image in frames])

    def pixels(self, path: str | os.PathLike[str]) -> Pixels:
        """Decode one file, and crop it if that was asked for; ``DicomError`` as ``read``."""
        return self._cropped(self.read(path).content)

    def frames(self, path: str | os.PathLike[str]) -> Iterator[Pixels]:
        """Decode the frames of a file, one after another."""
        header = _with_image(path)
        for frame in range(frame_count(header)):
            yield self._cropped(frame_pixels(header, path, frame))

    def read(self, path: str | os.PathLike[str]) -> DicomImage:
        """Decode one frame of a file to modality units.

        A file that is no DICOM, is damaged, or holds no image or not the frame asked for is a
        ``DicomError`` naming the file and the reason.
        """
        header = _with_image(path)
        frame = self._choice(frame_count(header), path)
        content = frame_pixels(header, path, frame)
        return DicomImage(frame_header(header, frame), content)

    def display(self, image: DicomImage | Pixels) -> np.ndarray:
        """Grey values in [0, 1] as a viewer shows them: windowed, MONOCHROME1 inverted. (H, W)."""
        content = image.content if isinstance(image, DicomImage) else image
        return _shown(content, self.window)

    def _choice(self, frames: int, path: str | os.PathLike[str]) -> int:
        if isinstance(self.frame, int):
            return self.frame
        if self.frame == "only" and frames != 1:
            raise DicomError(
                path,
                f"holds {frames} frames; one image a file was expected. Choose one by `frame` "
                "(first, middle or a number), or read them all as a stack",
            )
        return frames // 2 if self.frame == "middle" else 0

    def _cropped(self, image: Pixels) -> Pixels:
        if not self.crop_borders:
            return image
        box = content_box(image.values, image.valid)
        valid = None if image.valid is None else image.valid[box]
        return replace(image, values=image.values[box], valid=valid)

    def _levels(self, image: Pixels, path: str | os.PathLike[str]) -> np.ndarray:
        if self.windows is not None:
            if image.is_colour:
                raise DicomError(path, "is a colour image: it has no windows")
            return np.concatenate([self._picture(_shown(image, w), image) for w in self.windows])
        shown = image.values / 255 if image.is_colour else _shown(image, self.window)
        return self._picture(shown, image)

    def _picture(self, shown: np.ndarray, image: Pixels) -> np.ndarray:
        from PIL import Image

        picture = Image.fromarray(np.rint(shown * 255).astype(np.uint8))
        picture = _square_pixels(picture, image.spacing)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if self.size is not None:
            picture = resize(picture, self.size, self.fit)
        array = np.asarray(picture)
        return array[None].copy() if array.ndim == 2 else array.transpose(2, 0, 1).copy()


def _with_image(path: str | os.PathLike[str]) -> Dataset:
    header = read_header(path, pixels=True)
    if not any(name in header for name in PIXELS):
        raise DicomError(path, f"holds no image ({kind(header)})")
    return header


def _shown(image: Pixels, window: tuple[float, float] | None) -> np.ndarray:
    """(H, W) in [0, 1]; padding is black, however the image is to be shown."""
    if window is not None:
        shown = apply_window(image.values, *window)
    elif image.table is not None:
        shown = look_up(image.values, *image.table)
    elif image.window is not None:
        shown = apply_window(image.values, *image.window)
    else:
        shown = _full_range(image)
    if image.inverted:
        shown = 1 - shown
    return shown if image.valid is None else np.where(image.valid, shown, 0)


def _full_range(image: Pixels) -> np.ndarray:
    if image.value_range is not None:
        low, high = image.value_range
    else:
        inside = image.values if image.valid is None else image.values[image.valid]
        if not inside.size:
            return np.zeros(image.values.shape)
        low, high = (float(edge) for edge in np.percentile(inside, (0.5, 99.5)))
    if high <= low:
        return np.zeros(image.values.shape)
    return np.clip((image.values - low) / (high - low), 0, 1)


def _square_pixels(picture: Any, spacing: tuple[float, ...]) -> Any:
    """Resample so that a pixel is as high as wide; nothing to do for nearly all files."""
    height, width = spacing
    if abs(height / width - 1) < 0.01:
        return picture
    unit = min(spacing)
    size = (round(picture.width * width / unit), round(picture.height * height / unit))
    return picture.resize((max(1, size[0]), max(1, size[1])), 2)  # 2: bilinear
