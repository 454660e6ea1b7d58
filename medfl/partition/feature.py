"""Feature skew: each client sees its images through a scanner of its own.

A transform is a pure function of each image: the same image gives the same result in whatever batch
or fold it comes. Groups are dealt as by ``iid``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from medfl.partition.base import Partition, Value
from medfl.partition.random import stream

_BATCH_PIXELS = 1 << 24


class NoiseSkew(Partition):
    """Noise that grows from the first client to the last (``Noise``); dealt as ``iid``."""

    value = Value("the level", "0.1", high=1)
    title = "Noise {}"
    even = True

    def transform(self, client: int, num_clients: int, seed: int) -> Noise:
        """The client's noise."""
        return Noise(self.number * (client + 1) / num_clients, seed, client)


class ScannerSkew(Partition):
    """A scanner of its own for every client (``Scanner``); dealt as ``iid``."""

    value = Value("the strength", "0.5", high=4)
    title = "Scanner strength {}"
    even = True

    def transform(self, client: int, num_clients: int, seed: int) -> Scanner:
        """The client's scanner."""
        return Scanner.draw(self.number, seed, client)


@dataclass(frozen=True)
class Noise:
    """Additive Gaussian noise, clipped to the range of pixels.

    Li et al., "Federated learning on non-IID data silos", ICDE 2022, section IV-C, has level * i/N
    as the *variance* of client i. Here level * (i + 1)/M is the *standard deviation*, for clients
    i = 0 … M - 1: the first has some noise, the last has the whole level.

    Attributes:
        deviation: standard deviation, in units of the pixel range [0, 1].
        seed: the split's seed.
        client: the client, since each has noise of its own.
    """

    deviation: float
    seed: int
    client: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Add noise to images (n, C, …); the content of an image decides what is drawn for it."""
        if self.deviation == 0:
            return images.copy()
        result = np.empty_like(images)
        for row, image in enumerate(images):
            content = zlib.crc32(np.ascontiguousarray(image).tobytes())
            rng = stream(self.seed, "noise", self.client, content)
            noise = rng.standard_normal(image.shape, dtype=np.float32)
            low, scale = _range(image[None])
            seen = _to_unit(image, low[0], scale[0]) + noise * np.float32(self.deviation)
            result[row] = _from_unit(seen, low[0], scale[0], image.dtype)
        return result


@dataclass(frozen=True)
class Scanner:
    """What one device makes of an image: blur, lost resolution, bias field, gain, contrast curve.

    For each client they are drawn with strength s: the blur is a Gaussian whose standard deviation
    is up to 0.03 s image heights; a pixel averages up to 1 + s pixels of the original; the bias
    field is smooth, exp(b) with |b| ≤ 0.4 s; the gain is exp(g), g from -0.3 s to 0.3 s; and the
    contrast curve is x^gamma, gamma = exp(c), c from -0.5 s to 0.5 s. Strength 0 changes nothing.

    Attributes:
        blur: standard deviation, in image heights or widths.
        coarseness: pixels of the original that one pixel of the device averages.
        bias: coefficients of the field's logarithm: cos(pi y), cos(2 pi y), cos(pi x), cos(2 pi x),
            with y and x from 0 to 1 over the image.
        gain: factor on intensities.
        gamma: exponent on intensities in [0, 1].
    """

    blur: float
    coarseness: float
    bias: tuple[float, ...]
    gain: float
    gamma: float

    @classmethod
    def draw(cls, strength: float, seed: int, client: int) -> Scanner:
        """The scanner of one client."""
        rng = stream(seed, "scanner", client)
        bias = rng.uniform(-1, 1, 4)
        bias *= rng.uniform(0, 0.4) / max(np.abs(bias).sum(), 1e-12)
        return cls(
            blur=strength * rng.uniform(0, 0.03),
            coarseness=1 + strength * rng.uniform(0, 1),
            bias=tuple((strength * bias).tolist()),
            gain=float(np.exp(strength * rng.uniform(-0.3, 0.3))),
            gamma=float(np.exp(strength * rng.uniform(-0.5, 0.5))),
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (n, C, …) as this scanner shows them; it sees a volume slice by slice."""
        rows, columns = self._optics(images.shape[-2]), self._optics(images.shape[-1]).T
        field = self.gain * self._field(images.shape[-2], images.shape[-1])
        result = np.empty_like(images)
        step = max(1, _BATCH_PIXELS // int(np.prod(images.shape[1:])))
        for start in range(0, len(images), step):
            part = images[start : start + step]
            low, scale = _range(part)
            seen = rows @ _to_unit(part, low, scale) @ columns
            seen = np.clip(seen * field, 0, 1) ** np.float32(self.gamma)
            result[start : start + step] = _from_unit(seen, low, scale, part.dtype)
        return result

    def _optics(self, size: int) -> np.ndarray:
        """(size, size) matrix of blur and resolution along one axis; rows add up to 1."""
        return (_resample(size, self.coarseness) @ _blur(size, self.blur * size)).astype(np.float32)

    def _field(self, height: int, width: int) -> np.ndarray:
        """(height, width) sensitivity."""
        y = np.cos(np.pi * np.outer([1, 2], (np.arange(height) + 0.5) / height))
        x = np.cos(np.pi * np.outer([1, 2], (np.arange(width) + 0.5) / width))
        logarithm = (np.array(self.bias[:2]) @ y)[:, None] + np.array(self.bias[2:]) @ x
        return np.exp(logarithm).astype(np.float32)


def _blur(size: int, deviation: float) -> np.ndarray:
    """Gaussian blur along one axis as a matrix, mirrored at the edges."""
    if deviation == 0:
        return np.eye(size)
    reach = int(4 * deviation + 0.5) + 1
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    matrix = np.zeros((size, size))
    period = np.concatenate([np.arange(size), np.arange(size)[::-1]])
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        np.add.at(
            matrix, (np.arange(size), period[(np.arange(size) + offset) % (2 * size)]), weight
        )
    return matrix


def _resample(size: int, coarseness: float) -> np.ndarray:
    """Average over coarser pixels and interpolate back, along one axis, as a matrix."""
    coarse = max(1, round(size / coarseness))
    if coarse == size:
        return np.eye(size)
    edges = np.arange(coarse + 1) * size / coarse
    left = np.maximum(edges[:-1, None], np.arange(size))
    right = np.minimum(edges[1:, None], np.arange(size) + 1)
    down = np.maximum(right - left, 0) * coarse / size
    position = np.clip((np.arange(size) + 0.5) * coarse / size - 0.5, 0, coarse - 1)
    low = np.minimum(position.astype(int), max(coarse - 2, 0))
    up = np.zeros((size, coarse))
    up[np.arange(size), low] += 1 - (position - low)
    up[np.arange(size), np.minimum(low + 1, coarse - 1)] += position - low
    return up @ down


def _range(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1, …) darkest value and width of the pixel range of each image, float32."""
    shape = (len(images), *[1] * (images.ndim - 1))
    if images.dtype == np.uint8:
        return np.zeros(shape, np.float32), np.full(shape, 255, np.float32)
    axes = tuple(range(1, images.ndim))
    low = images.min(axis=axes).reshape(shape).astype(np.float32)
    return low, np.maximum(images.max(axis=axes).reshape(shape) - low, 1).astype(np.float32)


def _to_unit(images: np.ndarray, low: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (images - low) / scale


def _from_unit(
    values: np.ndarray, low: np.ndarray, scale: np.ndarray, dtype: np.dtype
) -> np.ndarray:
    return np.floor(np.clip(values, 0, 1) * scale + low + np.float32(0.5)).astype(dtype)
