"""Contrast-limited adaptive histogram equalisation, mostly for radiographs."""

from __future__ import annotations

import numpy as np


def equalize(values: np.ndarray, clip: float) -> np.ndarray:
    """Equalise values in [0, 1], (H, W) or (D, H, W), in tiles of an eighth of each side.

    Pizer et al., Computer Vision, Graphics, and Image Processing 1987; Zuiderveld, Graphics Gems
    IV, 1994.
    """
    from skimage.exposure import equalize_adapthist

    if values.min() == values.max():  # scikit-image would divide by the range, which is 0
        return values
    tiles = [max(1, length // 8) for length in values.shape]
    even = equalize_adapthist(values.astype(np.float32), kernel_size=tiles, clip_limit=clip)
    return even.astype(np.float32)
