"""Cut the ultrasound fan out of the words around it, and smooth its speckle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from medfl.imaging.modality.colour import brightest
from medfl.imaging.modality.geometry import cut
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import remark

# The fan is sought on a picture of about this size, on which its echoes touch one another.
COARSE = 192
BLACK = 0.03  # share of the brightest value up to which a pixel is black
FAINT = 0.012  # the same where colours (Doppler) outshine the grey picture around them
# Echoes differ from pixel to pixel; bars and banners, however large, are of one tone.
FLAT = 0.006  # share of the brightest value: a step of more than one of 255 grey levels
# A further part belongs to the scan, such as what lies behind a cyst, if it has this share of the
# largest part's area, and of each side of the picture (bars and lines of words are thinner), or
# edges within this share of the largest part's edges.
PART, THICK, ALIGNED = 0.05, 0.08, 0.03
DENSE = 0.85  # share of a part's pixels that are not black; between letters more of them are
# Around a pixel of a word fewer than half are not black, around one of the thinnest strip more.
AROUND = 0.5
SEEN = 0.01  # share of what is not black that regions of a header must hold to be believed
LOST = 0.1
"""Share of what is not black (words aside) that may be cut off without a remark."""


@dataclass(frozen=True)
class _Part:
    """A connected part of the coarse picture that is not black."""

    mask: np.ndarray
    rough: float  # share of it that has texture
    dense: float  # share of its own pixels that are not black

    @property
    def area(self) -> int:
        return int(self.mask.sum())

    @property
    def extent(self) -> np.ndarray:
        """First and last row, first and last column, (2, 2), as shares of the picture's sides."""
        lines = [np.flatnonzero(self.mask.any(axis=1 - axis))[[0, -1]] for axis in (0, 1)]
        return np.array(lines) / np.array(self.mask.shape)[:, None]


def crop_sector(pixels: Pixels) -> Pixels:
    """Keep the bounding box of the scanned field, and black out what lies outside the field.

    Where the header states regions of tissue, they are the field. Else it is the convex hull of the
    parts that have texture and are not black: the largest, and all others that are large, dense
    and no line or bar (of the largest part alone, where nothing has texture). So it holds the
    echo-free parts inside the fan and what lies behind them, and leaves out names, scales, banners
    and logos beside it. Regions that hold next to nothing of the picture are not believed. A
    picture that is all black stays as it is. A remark says where more than ``LOST`` of what is not
    black was cut off.
    """
    grey = brightest(pixels)
    rough = _texture(grey)
    parts = _parts(grey, rough, BLACK)
    if not parts:
        return pixels
    factor, seen = _factor(grey), _seen(grey)
    field = np.zeros(grey.shape, bool)
    for top, bottom, left, right in pixels.regions:
        field[top:bottom, left:right] = True
    if pixels.regions and (seen & field).sum() < SEEN * seen.sum():
        remark(["its header's regions hold nothing of the picture: the fan was sought in it"])
        field[:] = False
    if not field.any():
        coarse = _field(parts)
        faint = [part for part in _parts(grey, rough, FAINT) if _is_tissue(part, parts)]
        if _cut_off(faint, coarse) > LOST:
            coarse = _field([*parts, *faint])
        field = coarse.repeat(factor, axis=0).repeat(factor, axis=1)[: len(grey), : grey.shape[1]]
    share = 1 - float((seen & field).sum() / max(1, seen.sum()))
    if share > LOST:
        remark([f"{share:.0%} of what is not black was cut off with what lies beside the fan"])
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    valid = field if pixels.valid is None else field & pixels.valid
    return cut(replace(pixels, valid=valid), box)


def _factor(grey: np.ndarray) -> int:
    return math.ceil(max(grey.shape) / COARSE)


def _seen(grey: np.ndarray) -> np.ndarray:
    """Mark what is not black, words aside, in a grey picture (H, W), however thin it is."""
    from scipy import ndimage

    bright = grey - grey.min() > BLACK * np.ptp(grey)
    around = ndimage.uniform_filter(bright.astype(np.float32), max(5, 2 * _factor(grey) - 1))
    return np.asarray(bright & (around >= AROUND))


def _reduced(values: np.ndarray, factor: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(values, np.float32)).reduce(factor))


def _texture(grey: np.ndarray) -> np.ndarray:
    """Say of the coarse picture where echoes differ from pixel to pixel."""
    from scipy import ndimage

    steps = ndimage.maximum_filter(grey, 3) - ndimage.minimum_filter(grey, 3)
    return _reduced(steps > FLAT * np.ptp(grey), _factor(grey)) > 0.5


def _parts(grey: np.ndarray, rough: np.ndarray, black: float) -> list[_Part]:
    """Find the parts of a grey picture, (H, W), that are not black, on its coarse form."""
    from scipy import ndimage

    factor, low = _factor(grey), grey.min()
    coarse = _reduced(grey, factor)
    bright = coarse - low > black * (float(coarse.max()) - low)
    dense = _reduced(grey - low > black * np.ptp(grey), factor)
    # Opening cuts the thin lines by which scales and words touch the fan.
    regions, count = ndimage.label(ndimage.binary_opening(bright, np.ones((3, 3))))
    numbers = range(1, count + 1)
    texture, density = (ndimage.mean(share, regions, numbers) for share in (rough, dense))
    return [_Part(regions == k, float(texture[k - 1]), float(density[k - 1])) for k in numbers]


def _field(parts: list[_Part]) -> np.ndarray:
    """Join the parts that are tissue, and what their hull encloses: (h, w) bool."""
    from skimage.morphology import convex_hull_image

    largest = max(parts, key=lambda part: (part.rough * part.area, part.area))
    joined = largest.mask.copy()
    for part in parts:
        if _is_tissue(part, parts):
            joined |= part.mask
    return np.asarray(convex_hull_image(joined))


def _is_tissue(part: _Part, parts: list[_Part]) -> bool:
    """Whether a part has texture, and is large, dense and no bar beside the largest part."""
    largest = max(parts, key=lambda other: other.rough * other.area)
    if part.rough <= 0.5 or part.dense < DENSE:
        return False
    if part.rough * part.area < PART * largest.rough * largest.area:
        return False
    sides = np.diff(part.extent)[:, 0]
    # A strip as wide as the scan, edge to edge, is what a dark band has cut off it.
    apart = np.abs(part.extent - largest.extent).max(axis=1)
    return bool((sides >= THICK).all() or (apart <= ALIGNED).any())


def _cut_off(parts: list[_Part], field: np.ndarray) -> float:
    """Which share of the parts' area lies outside the field."""
    total = sum(part.area for part in parts)
    return sum(int((part.mask & ~field).sum()) for part in parts) / total if total else 0.0


def despeckle(values: np.ndarray, valid: np.ndarray | None, width: int) -> np.ndarray:
    """Apply Lee's filter, m + k (v - m) with k = max(0, s² - n²) / s², to (H, W) or (H, W, 3).

    m and s² are the mean and variance in a window of ``width`` pixels around each pixel, so flat
    tissue becomes its mean and edges stay. The noise variance n² is the mean of all s² in the
    field. Lee, IEEE PAMI 1980. Its additive form fits: the logarithm that a scanner takes before
    display turns multiplicative speckle into additive noise (Dutt & Greenleaf, IEEE TMI 1996).
    """
    from scipy.ndimage import uniform_filter

    window = (width, width, 1)[: values.ndim]
    rest = values - np.float32(values.mean(dtype=np.float64))  # squares of small numbers are exact
    local = uniform_filter(rest, window, mode="nearest")
    variance = uniform_filter(rest * rest, window, mode="nearest")
    variance -= local * local
    np.maximum(variance, 0, out=variance)
    rest -= local
    known = variance if valid is None else variance[valid]
    noise = float(known.mean()) if known.size else 0.0
    keep = np.divide(
        np.maximum(variance - np.float32(noise), 0),
        variance,
        out=np.zeros_like(variance),
        where=variance > 0,
    )
    return values - (1 - keep) * rest
