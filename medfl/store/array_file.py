"""Write an .npy file one image at a time, and go on with one that was left unfinished."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from medfl.errors import failure
from medfl.files.regular import regular
from medfl.store.store import DTYPES


class ArrayFile:
    """An .npy file that grows; its header is padded, so that the length can be set at the end.

    Attributes:
        count: images written.
        shape: shape of one image; empty before the first.
        dtype: type of all images.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.count = 0
        self.shape: tuple[int, ...] = ()
        self.dtype = DTYPES[0]

    def append(self, image: np.ndarray) -> None:
        """Write one image; it is a ``ValueError`` if its shape or type is not that of the first."""
        if not self.shape:
            if image.dtype not in DTYPES or image.ndim not in (3, 4):
                raise ValueError(
                    f"is {image.dtype} {image.shape}, not uint8 or int16 (C, H, W) or (C, D, H, W)"
                )
            self.shape, self.dtype = image.shape, image.dtype
            self._header()
        if image.dtype != self.dtype or image.shape != self.shape:
            raise ValueError(
                f"is {image.dtype} {image.shape}, not {self.dtype} {self.shape} as the first"
            )
        # Not through a memory map: a full disk under one kills the process instead of raising.
        self.file.write(image.tobytes())
        self.count += 1

    def finish(self) -> None:
        """Write the length into the header."""
        if self.shape:
            self.file.seek(0)
            self._header()

    def resume(self, count: int, shape: Sequence[int], dtype: str) -> None:
        """Go on after ``count`` images, which must be there; what follows them is cut off."""
        self.count, self.shape, self.dtype = count, tuple(shape), np.dtype(dtype)
        self.file.seek(0)
        self._header()
        bytes_each = int(np.prod(self.shape)) * self.dtype.itemsize
        self.file.seek(count * bytes_each, os.SEEK_CUR)
        self.file.truncate()

    def _header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self.dtype)
        shape = (self.count, *self.shape)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)


def images_in(path: Path, shape: Sequence[int], dtype: str) -> int:
    """Count the whole images of this shape and type in an unfinished file.

    Raises:
        ValueError, TypeError: these are not an image's shape and type.
        OSError: the file is not there.
    """
    if np.dtype(dtype) not in DTYPES or len(shape) not in (3, 4):
        raise ValueError(f"{dtype} {shape}")
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"shape {shape}")
    with open(path, "rb", opener=regular) as file:
        # The header that stands there from the start is as long as the one of the finished file.
        try:
            np.lib.format.read_magic(file)
            there, _, kind = np.lib.format.read_array_header_1_0(file)
        except Exception as error:  # a damaged header fails in its tokens, its syntax or its size
            raise ValueError(f"its header is damaged: {failure(error)}") from None
        if there[1:] != tuple(shape) or kind != np.dtype(dtype):
            raise ValueError(f"holds {kind} {there[1:]}")
        pixels = path.stat().st_size - file.tell()
    return pixels // (int(np.prod(shape)) * kind.itemsize)
