"""Colour becomes luminance, or what it would look like under white light."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from medfl.imaging.pixels import Pixels

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of ITU-R BT.601, by which Pillow makes grey and JPEG makes Y."""

NORMS = {"grey_world": 1, "shades_of_grey": 6}


def luminance(pixels: Pixels) -> Pixels:
    """Make (H, W) of (H, W, 3)."""
    return replace(pixels, values=pixels.values @ LUMA)


def brightest(pixels: Pixels) -> np.ndarray:
    """Take each pixel's highest channel, (H, W, 3) to (H, W); grey stays as it is."""
    return _over_channels(np.maximum, pixels)


def dimmest(pixels: Pixels) -> np.ndarray:
    """Take each pixel's lowest channel, (H, W, 3) to (H, W); grey stays as it is."""
    return _over_channels(np.minimum, pixels)


def _over_channels(choose: np.ufunc, pixels: Pixels) -> np.ndarray:
    if not pixels.is_colour:
        return pixels.values
    red, green, blue = np.moveaxis(pixels.values, -1, 0)
    return choose(choose(red, green), blue)  # ten times as fast as a reduction over the last axis


def constant_colour(
    values: np.ndarray, method: Literal["none", "shades_of_grey", "grey_world"]
) -> np.ndarray:
    """Divide the colour of the light out of (H, W, 3) in [0, 255].

    The light e is estimated by the channels' Minkowski means, e_c = mean(v_c^p)^(1/p), and
    channel c is multiplied by |e| / (sqrt(3) e_c), which leaves grey as it is. p = 1 is grey world
    (Buchsbaum 1980); p = 6 shades of grey (Finlayson & Trezzi, CIC 2004), which helps lesion
    classification across dermatoscopes: Barata et al., IEEE J. Biomed. Health Inform. 2015.
    """
    if method == "none":
        return values
    norm = NORMS[method]
    shown = values.reshape(-1, 3) * np.float32(1 / 255)
    power = shown if norm == 1 else (shown * shown * shown) ** 2
    # A product of matrices sums the columns several times as fast as mean(axis=0).
    total = np.ones(len(power), np.float32) @ power
    light = (total.astype(np.float64) / len(power)) ** (1 / norm)
    if not (light > 0).all():  # a channel that is black throughout has no colour to correct
        return values
    gain = np.sqrt((light**2).mean()) / light
    return np.minimum(values * gain.astype(np.float32), np.float32(255))
