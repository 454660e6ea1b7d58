"""Mean and standard deviation of a store's pixels, channel by channel.

The sums are whole numbers, so neither the order of images nor the size of a chunk changes a bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from medfl.errors import MedflError
from medfl.files.regular import regular

VALUES = 1 << 17  # at once: 1 MiB in double precision, which stays in a processor's cache
NEAR = 8  # images: what lies between two that are no further apart is read, too


def pixel_statistics(
    images: np.ndarray, rows: np.ndarray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixel / full range, by channel, over some images.

    A memory-mapped file is read piece by piece instead of through its map, so that a store that is
    larger than memory stays on the disk.

    Args:
        images: (N, C, …), uint8 (full range 255) or int16 (32767).
        rows: (n,) which of them, ascending.

    Returns:
        C means, and C standard deviations of the population; 0 where there is no image.

    Raises:
        MedflError: the file is shorter than it was.
    """
    full, channels = int(np.iinfo(images.dtype).max), images.shape[1]
    sums, squares = [0] * channels, [0] * channels
    for chunk in _chunks(images, rows):
        for channel in range(channels):
            pixels = chunk[:, channel].ravel()
            for first in range(0, len(pixels), VALUES):
                # Sums of so many whole numbers are below 2⁵³ and exact in double precision.
                values = pixels[first : first + VALUES].astype(np.float64)
                sums[channel] += int(values.sum())
                squares[channel] += int(values @ values)
    count = max(1, len(rows) * math.prod(images.shape[2:]))
    spread = (count * q - s * s for s, q in zip(sums, squares, strict=True))
    return (
        tuple(s / (count * full) for s in sums),
        tuple(math.sqrt(one) / (count * full) for one in spread),
    )


def _chunks(images: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The images of these rows, a few at a time."""
    size = math.prod(images.shape[1:])
    step = max(1, VALUES // max(1, size))
    if not isinstance(images, np.memmap):
        for first in range(0, len(rows), step):
            yield images[rows[first : first + step]]
        return
    cuts = [0, *(np.flatnonzero(np.diff(rows) > NEAR) + 1).tolist(), len(rows)]
    with open(images.filename, "rb", opener=regular) as file:  # type: ignore[arg-type]
        for start, end in pairwise(cuts):
            first = start
            while first < end:
                # Neighbours in the file are read in one direction, with the few between them.
                begin = int(rows[first])
                last = min(end, int(np.searchsorted(rows, begin + step)))
                count = int(rows[last - 1]) - begin + 1
                file.seek(images.offset + begin * size * images.itemsize)
                chunk = np.fromfile(file, images.dtype, count * size)
                if len(chunk) < count * size:
                    raise MedflError(
                        f"{images.filename} is shorter than it was: make the store again."
                    )
                yield chunk.reshape(count, *images.shape[1:])[rows[first:last] - begin]
                first = last
