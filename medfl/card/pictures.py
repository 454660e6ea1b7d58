"""Show the images of a store: 8 bits, colour or grey, volumes as three middle slices."""

from __future__ import annotations

import numpy as np

from medfl.store import Store

MAX_CHANNELS = 6  # so many are shown side by side; more would be too small to see
RANGE_IMAGES = 256  # images from which the range of a 16-bit store is taken
RANGE_PIXELS = 1 << 12  # pixels taken of each of them
GREY_WEIGHTS = np.array([19595, 38470, 7471], dtype=np.uint32)  # ITU-R BT.601, times 2**16


def display_range(store: Store) -> np.ndarray:
    """Choose what is shown black and white in each channel: (C, 2) float64.

    8 bits show their full range, 16 bits the 0.5 to 99.5 percentiles of evenly chosen images.
    """
    channels = store.images.shape[1]
    if store.images.dtype == np.uint8:
        return np.tile([0.0, 255.0], (channels, 1))
    rows = np.unique(np.linspace(0, len(store) - 1, RANGE_IMAGES).astype(int))
    flat = [store.images[row].reshape(channels, -1) for row in rows]
    values = np.concatenate([one[:, :: -(-one.shape[1] // RANGE_PIXELS)] for one in flat], axis=1)
    ends = np.percentile(values, (0.5, 99.5), axis=1).T
    ends[:, 1] = np.maximum(ends[:, 1], ends[:, 0] + 1)
    return ends


def to_bytes(images: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Bring images (n, C, …) of a store to uint8 of the same shape, by ``display_range``."""
    if images.dtype == np.uint8:
        return images
    shape = (1, -1) + (1,) * (images.ndim - 2)
    low, high = ends[:, 0].reshape(shape), ends[:, 1].reshape(shape)
    scaled = (images - low) * (255 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def is_colour(store: Store) -> bool:
    """Whether channels are red, green and blue: three without names; windows have names."""
    return store.images.ndim == 4 and store.images.shape[1] == 3 and not store.info.channels


def pictures(pixels: np.ndarray, colour: bool) -> np.ndarray:
    """Make pictures (n, h, w), in colour (n, h, w, 3), of (n, C, H, W) or (n, C, D, H, W) uint8.

    Channels stand side by side; so do the middle slices of a volume, across depth (axial in the
    common layout), height and width. Depth rises to the head, so the last two are shown with
    their last row on top.
    """
    if colour:
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    tiles = [tile for channel in range(min(pixels.shape[1], MAX_CHANNELS)) for tile in _planes(
        pixels[:, channel]
    )]  # fmt: skip
    height = max(tile.shape[1] for tile in tiles)
    padded = [np.pad(tile, ((0, 0), (0, height - tile.shape[1]), (0, 0))) for tile in tiles]
    return np.concatenate(padded, axis=2)


def grey(shown: np.ndarray) -> np.ndarray:
    """Make pictures grey, (n, h, w) uint8, with Pillow's weights of red, green and blue."""
    if shown.ndim == 3:
        return shown
    return ((shown @ GREY_WEIGHTS + (1 << 15)) >> 16).astype(np.uint8)


def pictures_of(store: Store, rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Make the pictures of some samples, in the order of ``rows``."""
    pixels = np.stack([store.images[row] for row in rows])
    return pictures(to_bytes(pixels, ends), is_colour(store))


def _planes(values: np.ndarray) -> list[np.ndarray]:
    if values.ndim == 3:
        return [values]
    depth, height, width = values.shape[1:]
    return [
        values[:, depth // 2],
        values[:, ::-1, height // 2],
        values[:, ::-1, :, width // 2],
    ]
