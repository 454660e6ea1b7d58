"""Ordinary image files (JPEG, PNG, TIFF …) to square uint8 arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medfl.errors import MedflError

if TYPE_CHECKING:
    from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
"""What happens to an oblong image: its centre, the whole with margins, or the whole distorted."""


def read_image(
    path: str | os.PathLike[str], size: int, channels: Literal[1, 3] = 3, fit: Fit = "crop"
) -> np.ndarray:
    """Read one image file to (channels, size, size) uint8.

    Grey, palette, 16-bit grey and transparent images (laid on black) are understood. A missing,
    truncated or unreadable file is a ``MedflError`` naming it and the reason.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    try:
        with Image.open(path) as image:
            # A JPEG decodes several times faster at a half or a quarter, still above our size.
            image.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))
            image.load()
            pixels = resize(_flatten(image, channels), size, fit)
    except FileNotFoundError as error:
        raise MedflError(f"the image {path} does not exist.") from error
    except UnidentifiedImageError as error:
        raise MedflError(
            f"{path} is not an image that Pillow can read, or is corrupt: get this file again."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow reports damage inside a file by all of these.
        reason = str(error).rstrip(".")
        raise MedflError(f"{path} is a corrupt image: {reason}. Get this file again.") from error
    array = np.asarray(pixels)
    return array[None].copy() if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


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


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    from PIL import Image

    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow's own conversion to 8 bits clips at 255 instead of scaling.
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).round().astype("uint8"))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("L" if channels == 1 else "RGB")
