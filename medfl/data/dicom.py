"""DICOM files to pixels: modality units, then the display window, then square uint8 images.

The order of the grey-scale transformations is that of DICOM PS3.4 Annex N (modality LUT, VOI LUT,
presentation).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medfl.data.images import Fit, resize
from medfl.data.windows import apply_window, parse_window
from medfl.errors import MedflError

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class DicomImage:
    """One decoded image.

    Attributes:
        header: all DICOM attributes.
        pixels: (H, W) float32 in modality units (Hounsfield units for CT) after rescaling, or
            (H, W, 3) float32 in [0, 255] for colour.
        spacing: height and width of a pixel, mm where the file states them, else their ratio.
    """

    header: Dataset
    pixels: np.ndarray
    spacing: tuple[float, float]

    @property
    def is_colour(self) -> bool:
        """Three channels."""
        return self.pixels.ndim == 3

    @property
    def is_inverted(self) -> bool:
        """MONOCHROME1: the lowest value is shown white."""
        return self.header.get("PhotometricInterpretation") == "MONOCHROME1"


class DicomPreprocessor:
    """Reads single-frame DICOM files of 8, 12 or 16 bits, grey or colour, signed or not.

    Args:
        size: side of the square result in pixels; None keeps the matrix as it is.
        window: (centre, width) in modality units; None takes the file's own window or VOI LUT,
            else the full range of 8-bit data, else the 0.5th to 99.5th percentile.
        channels: 1 (colour becomes luminance) or 3 (grey is repeated).
        fit: what happens to an oblong image; anatomy at the border matters, so it is padded.
    """

    def __init__(
        self,
        size: int | None = None,
        window: tuple[float, float] | None = None,
        channels: Literal[1, 3] = 1,
        fit: Fit = "pad",
    ) -> None:
        self.size = size
        self.window = None if window is None else parse_window(window)
        self.channels = channels
        self.fit: Fit = fit

    def __call__(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Read, window and resize one file: (channels, size, size) uint8, bright = dense."""
        from PIL import Image

        image = self.read(path)
        display = image.pixels / 255 if image.is_colour else self.display(image)
        levels = np.rint(display * 255).astype(np.uint8)
        picture = _square_pixels(Image.fromarray(levels), image.spacing)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if self.size is not None:
            picture = resize(picture, self.size, self.fit)
        array = np.asarray(picture)
        return array[None].copy() if array.ndim == 2 else array.transpose(2, 0, 1).copy()

    def read(self, path: str | os.PathLike[str]) -> DicomImage:
        """Decode one file to modality units.

        A file that is no DICOM, is damaged, or holds no image or several frames is a
        ``MedflError`` naming the file and the reason.
        """
        from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

        header = read_header(path, pixels=True)
        if "PixelData" not in header:
            raise MedflError(f"{path} holds no image ({_kind(header)}).")
        frames = int(header.get("NumberOfFrames") or 1)
        if frames != 1:
            raise MedflError(f"{path} holds {frames} frames; one image a file was expected.")
        try:
            stored = pixel_array(header)  # YBR becomes RGB here
            if header.PhotometricInterpretation == "PALETTE COLOR":
                stored = apply_color_lut(stored, header)
            if stored.ndim == 3:
                depth = 16 if stored.dtype.itemsize == 2 else 8
                pixels = stored.astype(np.float32) * (255 / (2**depth - 1))
            else:
                pixels = apply_modality_lut(stored, header).astype(np.float32)
        except Exception as error:  # pydicom and its decoders report damage by any exception
            raise MedflError(f"{path}: its pixels cannot be decoded: {_words(error)}.") from error
        return DicomImage(header, pixels, _spacing(header))

    def display(self, image: DicomImage) -> np.ndarray:
        """Grey values in [0, 1] as a viewer shows them: windowed, MONOCHROME1 inverted. (H, W)."""
        header, pixels = image.header, image.pixels
        if self.window is not None:
            shown = apply_window(pixels, *self.window)
        elif header.get("VOILUTSequence"):
            shown = _voi_table(pixels, header.VOILUTSequence[0])
        elif _first(header.get("WindowWidth")) and _first(header.get("WindowCenter")) is not None:
            shown = apply_window(
                pixels,
                float(_first(header.WindowCenter)),
                float(_first(header.WindowWidth)),
                header.get("VOILUTFunction") or "LINEAR",
            )
        else:
            shown = _full_range(pixels, header)
        return 1 - shown if image.is_inverted else shown


def read_header(path: str | os.PathLike[str], pixels: bool = False) -> Dataset:
    """The attributes of a DICOM file, with or without its pixel data; ``MedflError`` if damaged."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        header = dcmread(path, stop_before_pixels=not pixels)
        header.get("Rows")  # elements are parsed when first read
    except FileNotFoundError as error:
        raise MedflError(f"the DICOM file {path} does not exist.") from error
    except InvalidDicomError as error:
        raise MedflError(f"{path} is not a DICOM file (it lacks the DICM prefix).") from error
    except Exception as error:  # truncation shows as EOFError, struct.error, KeyError, …
        raise MedflError(f"{path} is a damaged DICOM file: {_words(error)}.") from error
    return header


def _voi_table(values: np.ndarray, table: Dataset) -> np.ndarray:
    entries, first, bits = (int(value) for value in table.LUTDescriptor)
    data = table.LUTData
    levels = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
    index = np.clip(values.astype(np.int64) - first, 0, (entries or 65536) - 1)
    return levels[index] / (2**bits - 1)


def _full_range(values: np.ndarray, header: Dataset) -> np.ndarray:
    if header.BitsStored <= 8 and not header.get("PixelRepresentation"):
        slope = float(header.get("RescaleSlope") or 1)
        low = float(header.get("RescaleIntercept") or 0)
        high = low + slope * (2**header.BitsStored - 1)
    else:
        inside = values
        if "PixelPaddingValue" in header:
            padding = float(header.PixelPaddingValue) * float(header.get("RescaleSlope") or 1)
            padding += float(header.get("RescaleIntercept") or 0)
            inside = values[values != padding] if (values != padding).any() else values
        low, high = (float(edge) for edge in np.percentile(inside, (0.5, 99.5)))
    if high <= low:
        return np.zeros(values.shape)
    return np.clip((values - low) / (high - low), 0, 1)


def _spacing(header: Dataset) -> tuple[float, float]:
    for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        value: Any = header.get(name)
        if value and len(value) == 2 and all(float(part) > 0 for part in value):
            return float(value[0]), float(value[1])
    return 1.0, 1.0


def _square_pixels(picture: Any, spacing: tuple[float, float]) -> Any:
    """Resample so that a pixel is as high as wide; nothing to do for nearly all files."""
    height, width = spacing
    if abs(height / width - 1) < 0.01:
        return picture
    unit = min(spacing)
    size = (round(picture.width * width / unit), round(picture.height * height / unit))
    return picture.resize((max(1, size[0]), max(1, size[1])), 2)  # 2: bilinear


def _first(value: Any) -> Any:
    """The first of several windows; pydicom gives a lone value bare."""
    return value[0] if isinstance(value, (list, tuple)) or hasattr(value, "append") else value


def _kind(header: Dataset) -> str:
    uid = header.get("SOPClassUID")
    return getattr(uid, "name", None) or "no SOP class"


def _words(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__).rstrip(".")
