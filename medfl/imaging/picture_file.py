"""Open a file as a picture by Pillow: of named formats, and of a sane size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.files.bounds import refuse_swelling
from medfl.imaging.quiet import be_quiet

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000")
"""What Pillow may take a file for, whatever it is called. It starts Ghostscript on PostScript."""


@contextmanager
def open_picture(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open a picture, whose pixels are not decoded yet.

    Raises:
        FileError: it would unpack to more than is sane.
        Exception: whatever Pillow raises; ``UnidentifiedImageError`` where it is of no such format.
    """
    from PIL import Image

    be_quiet()
    with Image.open(path, formats=FORMATS) as image:
        unpacked = image.width * image.height * len(image.getbands()) * _bytes_of(image.mode)
        refuse_swelling(path, unpacked, Path(path).stat().st_size)
        yield image


def _bytes_of(mode: str) -> int:
    """Bytes of one value of a band."""
    return 2 if mode.startswith("I;16") else 4 if mode in ("I", "F") else 1
