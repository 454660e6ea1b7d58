"""Cut the ultrasound fan out of the words around it, and smooth its speckle."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from medfl.imaging.modality.colour import brightest
from medfl.imaging.modality.geometry import cut
from medfl.imaging.pixels import Pixels

# The fan is sought on a picture of about this size, on which its echoes touch one another.
COARSE = 192
BLACK = 0.03  # share of the brightest value up to which a pixel is black
# Echoes differ from pixel to pixel; bars and banners, however large, are of one tone.
FLAT = 0.006  # share of the brightest value: a step of more than one of 255 grey levels


def crop_sector(pixels: Pixels) -> Pixels:
    """Keep the bounding box of the scanned field, and black out what lies outside the field.

    The field is the convex hull of the connected region that has the most texture and is not black
    (or of the largest one, where nothing has texture). So it holds the echo-free parts inside the
    fan, and leaves out names, scales, banners and logos beside it. It is sought in the regions that
    the header states, if any. A picture that is all black stays as it is.
    """
    from PIL import Image
    from scipy import ndimage
    from skimage.morphology import convex_hull_image

    grey = brightest(pixels)
    height, width = grey.shape
    factor = math.ceil(max(height, width) / COARSE)

    def reduced(values: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(np.ascontiguousarray(values)).reduce(factor))

    low = float(grey.min())
    if pixels.regions:
        stated = np.zeros(grey.shape, bool)
        for top, bottom, left, right in pixels.regions:
            stated[top:bottom, left:right] = True
        grey = np.where(stated, grey, np.float32(low))
    coarse = reduced(grey)
    bright = coarse - low > BLACK * (float(coarse.max()) - low)
    steps = ndimage.maximum_filter(grey, 3) - ndimage.minimum_filter(grey, 3)
    rough = reduced((steps > FLAT * (float(grey.max()) - low)).astype(np.float32)) > 0.5
    # Opening cuts the thin lines by which scales and words touch the fan.
    regions, count = ndimage.label(ndimage.binary_opening(bright, np.ones((3, 3))))
    if not count:
        return pixels
    areas = np.bincount(regions.ravel(), weights=(rough & bright).ravel())
    if not areas[1:].any():
        areas = np.bincount(regions.ravel())
    areas[0] = 0
    hull = convex_hull_image(regions == areas.argmax())
    rows, columns = np.flatnonzero(hull.any(axis=1)), np.flatnonzero(hull.any(axis=0))
    box = (
        slice(rows[0] * factor, min(height, (rows[-1] + 1) * factor)),
        slice(columns[0] * factor, min(width, (columns[-1] + 1) * factor)),
    )
    inside = hull.repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]
    field = inside if pixels.valid is None else inside & pixels.valid
    return cut(replace(pixels, valid=field), box)


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
