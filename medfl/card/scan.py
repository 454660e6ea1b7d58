"""Read a store's pixels once: histograms, and what finds duplicates."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass

import numpy as np

from medfl.card.measure import indicators
from medfl.card.pictures import display_range, grey, is_colour, pictures, to_bytes
from medfl.imaging.lookalikes import HASH_SIDE, hash_thumbnail, perceptual_hash
from medfl.store import Store

CHUNK_BYTES = 1 << 22
HISTOGRAM_PIXELS = 1 << 14  # so many pixels of a channel of an image are counted, on a regular grid
LEVELS = 256


@dataclass(frozen=True)
class Scan:
    """What one pass over N images gives, about 1 KB per image.

    Attributes:
        ends: (C, 2), the stored values that are level 0 and level 255.
        step: the histograms take every so many-th pixel along each axis.
        by_site: (S, C, 256) pixel counts by level, sites in the order of ``np.unique``.
        by_class: (K, C, 256) pixel counts by level; an image of several labels counts for each.
        thumbs: (N, 32, 32) uint8, grey.
        hashes: (N,) uint64, the perceptual hash (pHash) of the thumbnail.
        digests: (N, 2) uint64, BLAKE2b of the image's bytes: equal for equal pixels only.
    """

    ends: np.ndarray
    step: int
    by_site: np.ndarray
    by_class: np.ndarray
    thumbs: np.ndarray
    hashes: np.ndarray
    digests: np.ndarray

    @property
    def levels(self) -> np.ndarray:
        """The stored value of each level: (C, 256)."""
        return np.linspace(self.ends[:, 0], self.ends[:, 1], LEVELS, axis=1)


def scan(store: Store) -> Scan:
    """Read all pixels once, in chunks, with a progress bar."""
    from tqdm import tqdm

    count, channels = store.images.shape[:2]
    ends, colour = display_range(store), is_colour(store)
    step = _step(store.images.shape[2:])
    sites, site_of = np.unique(store.sites, return_inverse=True)
    of_class = indicators(store).astype(np.float64)
    by_site = np.zeros((len(sites), channels * LEVELS))
    by_class = np.zeros((of_class.shape[1], channels * LEVELS))
    thumbs = np.empty((count, HASH_SIDE, HASH_SIDE), dtype=np.uint8)
    digests = np.empty((count, 2), dtype=np.uint64)
    chunk = max(1, CHUNK_BYTES // max(1, store.images[0].nbytes))
    with tqdm(
        total=count, desc="inspecting", unit="image", file=sys.stderr, mininterval=0.5
    ) as bar:
        for first in range(0, count, chunk):
            rows = slice(first, min(first + chunk, count))
            raw = np.asarray(store.images[rows])
            digests[rows] = [_digest(image) for image in raw]
            pixels = to_bytes(raw, ends)
            thumbs[rows] = [hash_thumbnail(one) for one in grey(pictures(pixels, colour))]
            histograms = _histograms(pixels, step)
            np.add.at(by_site, site_of[rows], histograms)
            by_class += of_class[rows].T @ histograms
            bar.update(len(raw))
    shape = (-1, channels, LEVELS)
    return Scan(
        ends,
        step,
        by_site.reshape(shape).astype(np.int64),
        by_class.reshape(shape).astype(np.int64),
        thumbs,
        perceptual_hash(thumbs),
        digests,
    )


def _histograms(pixels: np.ndarray, step: int) -> np.ndarray:
    """Count pixels by level for each image and channel: (n, C * 256) float64."""
    grid = (slice(None), slice(None), *[slice(None, None, step)] * (pixels.ndim - 2))
    values = pixels[grid].reshape(pixels.shape[0] * pixels.shape[1], -1)
    shifted = values + LEVELS * np.arange(len(values))[:, None]
    counts = np.bincount(shifted.ravel(), minlength=LEVELS * len(values))
    return counts.reshape(pixels.shape[0], -1).astype(np.float64)


def _step(spatial: tuple[int, ...]) -> int:
    return max(1, int((np.prod(spatial) / HISTOGRAM_PIXELS) ** (1 / len(spatial))))


def _digest(image: np.ndarray) -> np.ndarray:
    digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)
