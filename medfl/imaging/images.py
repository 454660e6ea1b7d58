"""Ordinary image files (JPEG, PNG, TIFF …): to square uint8 arrays, or to ``Pixels``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medfl.errors import FileError, MedflError, Reason, failure
from medfl.imaging.numbers import only_numbers, remark_if_lost
from medfl.imaging.picture_file import FORMATS, open_picture
from medfl.imaging.pixels import Pixels

if TYPE_CHECKING:
    from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
"""What happens to an oblong image: its centre, the whole with margins, or the whole distorted."""

TURNED = (5, 6, 7, 8)
"""Orientations in EXIF of pictures whose rows are stored as columns."""

DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
"""Pillow's grey modes of more than 8 bits. It reduces 16-bit colour to 8 bits itself."""


def read_image(
    path: str | os.PathLike[str], size: int, channels: Literal[1, 3] = 3, fit: Fit = "crop"
) -> np.ndarray:
    """Read one image file to (channels, size, size) uint8, upright by its EXIF orientation.

    Images of the formats in ``FORMATS`` and of all Pillow's modes are read: grey, palette, CMYK,
    transparent (laid on black), and grey of 16 or 32 bits or floating point, whose range
    ``stored_range`` tells. A missing, truncated, huge, many-paged or unreadable file is a
    ``MedflError`` naming it and the reason.
    """
    with _opened(path) as image:
        # A JPEG decodes several times faster at a half or a quarter, still above our size.
        image.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))
        array = np.asarray(resize(_flatten(_upright(image), channels), size, fit))
    return array[None].copy() if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def read_pixels(path: str | os.PathLike[str], least: int | None = None) -> Pixels:
    """Read one image file for ``medfl.imaging.modality.render``.

    Geometry, modes and errors are those of ``read_image``. Grey stays (H, W); with more than 8 bits
    it keeps the file's own values. Colour is (H, W, 3) in [0, 255].

    Args:
        path: the file.
        least: how many pixels each side needs. A larger JPEG comes out at a half, a quarter or an
            eighth, several times faster: its decoder then averages blocks of pixels. None for the
            full resolution, which all other files have anyhow.
    """
    from PIL import ExifTags

    with _opened(path) as image:
        columns, rows = image.size
        if least is not None:
            image.draft(None, (least, least))
        # As high and wide as the whole, though a block at the edge may be cut off.
        spacing = (rows / image.height, columns / image.width)
        if image.getexif().get(ExifTags.Base.Orientation, 1) in TURNED:
            spacing = spacing[::-1]
        image = _upright(image)
        if image.mode in DEEP:
            values, valid = only_numbers(np.asarray(image))
            return Pixels(values, value_range=stored_range(np.asarray(image)), valid=valid)
        grey = image.mode in ("1", "L", "LA", "La")
        values = np.asarray(_flatten(image, 1 if grey else 3)).astype(np.float32)
    return Pixels(values, spacing, value_range=(0.0, 255.0))


def resize(image: Image.Image, size: int, fit: Fit = "crop") -> Image.Image:
    """Resize to a square of ``size`` pixels, averaging where it shrinks (no aliasing)."""
    from PIL import Image

    width, height = image.size
    filters = Image.Resampling.BILINEAR  # Pillow widens it by the scale: area-like when shrinking
    if fit == "stretch" or width == height:
        return image.resize((size, size), filters)
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), filters, box=(left, top, left + side, top + side))
    side = max(width, height)
    inner = image.resize(
        (max(1, round(size * width / side)), max(1, round(size * height / side))), filters
    )
    square = Image.new(image.mode, (size, size))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def stored_range(values: np.ndarray) -> tuple[float, float] | None:
    """Say which values mean black and white in a grey file of more than 8 bits.

    Scanners often store 8 or 12 bits in words of 16, and the file does not say so; read as 16
    bits such a picture is all but black. So the depth is the least of 8, 12 and 16 bits that
    holds the file's highest value. Floating point is [0, 1] or [0, 255], whichever holds it. Where
    values are negative, such as Hounsfield units, or need more than 16 bits, the answer is None.
    What is no number (NaN, infinite) does not count.
    """
    whole = values.dtype.kind in "iu"
    if not whole and not (finite := np.isfinite(values)).all():
        values = values[finite]
    low, high = float(values.min()), float(values.max())
    tops = [255, 4095, 65535] if whole else [1, 255]
    top = next((top for top in tops if high <= top), None)
    return None if low < 0 or top is None else (0.0, float(top))


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open a file at its first page; what goes wrong while it is read is a ``MedflError``."""
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    try:
        with open_picture(path) as image:
            _refuse_pages(image, path)
            yield image
    except MedflError:
        raise
    except FileNotFoundError as error:
        raise FileError(path, "does not exist") from error
    except IsADirectoryError as error:
        raise FileError(path, "is a folder, not an image") from error
    except PermissionError as error:
        raise FileError(path, "cannot be read: you lack the permission to") from error
    except UnidentifiedImageError:
        if path.stat().st_size == 0:
            empty = "is not an image (it is empty, 0 bytes): get this file again"
            raise FileError(path, empty) from None
        raise FileError(
            path,
            f"is not an image of a format that is read ({', '.join(FORMATS)}), or is corrupt: get "
            "this file again",
        ) from None
    except Image.DecompressionBombError as error:
        raise FileError(
            path,
            f"unpacks to more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, which no single "
            "image here should need: make it smaller, or cut it into tiles",
        ) from error
    except Exception as error:  # Pillow's decoders report damage by any exception
        raise FileError(
            path, f"is a corrupt image: {failure(error)}. Get this file again"
        ) from None


def _refuse_pages(image: Image.Image, path: Path) -> None:
    """Refuse a stack or an animation, which is no single image; a preview does no harm."""
    pages = getattr(image, "n_frames", 1)
    if pages == 1 or image.format == "MPO":  # a camera's JPEG with its preview
        return
    size = image.size
    image.seek(1)
    alike = image.size == size
    image.seek(0)
    if alike:
        raise FileError(
            path,
            f"holds {pages} pages; one image per file was expected: save each page that you want "
            "as a file of its own",
        )


def _upright(image: Image.Image) -> Image.Image:
    """Decode, and turn or mirror as the EXIF orientation says."""
    from PIL import ImageOps

    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    from PIL import Image

    if image.mode in DEEP:
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        laid = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
        # A picture whose transparency is a mask, or all but hides it, would be black unseen.
        remark_if_lost(np.asarray(image)[..., :3], [np.asarray(laid)[..., :3]])
        image = laid
    return image.convert("L" if channels == 1 else "RGB")


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Scale the range to 255, where Pillow's own conversion would cut it off there."""
    if not np.isfinite(values).all():
        raise Reason("it holds values that are not finite numbers")
    low, high = stored_range(values) or (float(values.min()), float(values.max()))
    scale = 255 / (high - low) if high > low else 0.0
    levels = np.rint((values.astype(np.float32) - low) * np.float32(scale)).astype(np.uint8)
    remark_if_lost(values, [levels])
    return levels
