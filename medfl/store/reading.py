"""Reads a store's images into memory."""

from __future__ import annotations

import io
import os

import numpy as np

from medfl.errors import MedflError


def read_whole(images: np.ndarray) -> np.ndarray:
    """A copy of all images, (N, C, …), in memory.

    A memory-mapped file is read and not copied out of its map, whose pages would count as the
    process's memory a second time.

    Raises:
        MedflError: the file is shorter than it was, or cannot be read.
    """
    if not isinstance(images, np.memmap) or not images.flags.c_contiguous:
        return np.array(images)
    whole = np.empty(images.shape, images.dtype)
    rest = whole.data.cast("B")
    try:
        with io.FileIO(images.filename) as file:  # type: ignore[arg-type]
            file.seek(images.offset)
            while rest:
                count = file.readinto(rest)
                if not count:
                    raise MedflError(
                        f"{images.filename} is shorter than it was: make the store again."
                    )
                rest = rest[count:]
    except OSError as error:
        name = os.fspath(images.filename)  # type: ignore[arg-type]
        raise MedflError(f"{name} cannot be read: {error.strerror}.") from error
    return whole
