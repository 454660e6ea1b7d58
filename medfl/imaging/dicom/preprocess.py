"""Read DICOM files to modality units, of which ``medfl.imaging.modality`` makes pixels.

The order of the grey-scale transformations is that of DICOM PS3.4 Annex N (modality LUT, VOI LUT,
presentation).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from medfl.errors import MedflError
from medfl.imaging.dicom.decode import frame_pixels
from medfl.imaging.dicom.frames import frame_count, frame_header
from medfl.imaging.dicom.header import PIXELS, DicomError, read_header
from medfl.imaging.dicom.values import kind
from medfl.imaging.images import Fit
from medfl.imaging.modality import Preprocess, render, to_store
from medfl.imaging.pixels import Pixels
from medfl.imaging.windows import parse_window

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
        """Height and width of a pixel, in mm where the file states them, else in any unit."""
        return self.content.spacing

    @property
    def is_colour(self) -> bool:
        """Whether it has three channels."""
        return self.content.is_colour

    @property
    def is_inverted(self) -> bool:
        """Whether the lowest value is to be shown white (MONOCHROME1)."""
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
        windows: several windows, each of which becomes a channel; they take the place of
            ``window`` and ``channels``.
        frame: the frame that a call takes; ``"only"`` refuses a file of several.
        crop_borders: cut off a uniform black or white frame around the image.
        preprocess: all settings, such as ``PRESETS["ct"]``; they take the place of ``window``,
            ``windows``, ``channels``, ``fit`` and ``crop_borders``.
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
        preprocess: Preprocess | None = None,
    ) -> None:
        if windows is not None and (window is not None or channels != 1):
            raise MedflError("give either `windows` (a channel each), or `window` and `channels`.")
        if windows is not None and (isinstance(windows, str) or not windows):
            raise MedflError("`windows` must be a list of windows, such as [lung, soft_tissue].")
        if isinstance(frame, str) and frame not in ("only", "first", "middle"):
            raise MedflError(f"`frame` must be only, first, middle or a number, not `{frame}`.")
        if preprocess is None:
            shown = windows if windows is not None else [window] if window is not None else []
            preprocess = Preprocess(
                intensity="window" if shown else "file",
                # A name would insist on Hounsfield units; numbers fit any units of the file.
                windows=tuple(parse_window(word) for word in shown) or ("soft_tissue",),
                channels=channels,
                fit=fit,
                crop_borders=crop_borders,
            )
        self.size = size
        self.frame: Frame = frame
        self.settings = preprocess

    def __call__(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Read one image and fit it: (channels, size, size) uint8, bright = dense."""
        return self._fitted(self.pixels(path), path)

    def stack(self, path: str | os.PathLike[str]) -> np.ndarray:
        """All frames of a file: (frames, channels, size, size) uint8."""
        frames = [self._fitted(image, path) for image in self.frames(path)]
        if len({frame.shape for frame in frames}) > 1:
            raise DicomError(path, "has frames of several sizes once cropped: give a `size`")
        return np.stack(frames)

    def pixels(self, path: str | os.PathLike[str]) -> Pixels:
        """Decode one file to pixels; errors are those of ``read``."""
        return self.read(path).content

    def frames(self, path: str | os.PathLike[str]) -> Iterator[Pixels]:
        """Decode the frames of a file, one after another."""
        header = _with_image(path)
        for frame in range(frame_count(header)):
            yield frame_pixels(header, path, frame)

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
        """Give what a viewer shows, (C, H, W) float32 in [0, 1]: windowed, MONOCHROME1 inverted."""
        return render(image.content if isinstance(image, DicomImage) else image, self.settings)

    def _choice(self, frames: int, path: str | os.PathLike[str]) -> int:
        if isinstance(self.frame, int):
            return self.frame
        if self.frame == "only" and frames != 1:
            raise DicomError(
                path,
                f"holds {frames} frames; one image per file was expected. Choose one by `frame` "
                "(first, middle or a number), or read them all as a stack",
            )
        return frames // 2 if self.frame == "middle" else 0

    def _fitted(self, image: Pixels, path: str | os.PathLike[str]) -> np.ndarray:
        if image.is_colour and self.settings.intensity == "window":
            raise DicomError(path, "is a colour image: it has no windows")
        try:
            return to_store(image, self.settings, self.size)
        except DicomError:
            raise
        except MedflError as error:
            raise DicomError(path, f"does not suit its settings: {error}") from error


def _with_image(path: str | os.PathLike[str]) -> Dataset:
    header = read_header(path, pixels=True)
    if not any(name in header for name in PIXELS):
        raise DicomError(path, f"holds no image ({kind(header)})")
    return header
