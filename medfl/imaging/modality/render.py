"""Carry out preprocessing in its order: crop, correct, window, filter, and fit for the store."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from medfl.errors import MedflError, Reason
from medfl.imaging.modality.clahe import equalize
from medfl.imaging.modality.colour import constant_colour, luminance
from medfl.imaging.modality.geometry import CLOSE, SMALLEST, crop_borders, fit_to, shrink
from medfl.imaging.modality.intensity import channels_of
from medfl.imaging.modality.n4 import correct_bias
from medfl.imaging.modality.presets import Preprocess
from medfl.imaging.modality.ultrasound import crop_sector, despeckle
from medfl.imaging.numbers import only_numbers, remark_if_lost
from medfl.imaging.pixels import Pixels
from medfl.imaging.remarks import remark

LIMITS = np.iinfo(np.int16)


def render(pixels: Pixels, settings: Preprocess) -> np.ndarray:
    """Make what a viewer would show, at the image's own resolution.

    The result is float32 in [0, 1], (C, H, W) for an image and (C, D, H, W) for a volume; bright is
    dense, padding is 0. With ``intensity: raw`` it is in the scanner's units instead. Settings that
    do not suit the pixels are a ``MedflError``.
    """
    cropped = _crop(_understood(pixels, settings), settings)
    return _repeat(np.stack(_shades(cropped, settings)), settings)


def to_store(pixels: Pixels, settings: Preprocess, size: int | None) -> np.ndarray:
    """Make what ``render`` does, fitted to (C, size, size), or (C, size, size, size) for a volume.

    Without a size the matrix stays as large as it is; its pixels become as high as wide. The result
    is uint8, for ``intensity: raw`` int16 in the scanner's units. If an image is more than four
    times as large, blocks of its pixels are averaged before it is windowed, which is many times
    faster.
    """
    pixels = whole = _crop(_understood(pixels, settings), settings)
    if size is not None and not settings.despeckle:  # speckle shows at the own resolution only
        pixels = shrink(pixels, size, settings.fit)
    shades = _shades(pixels, settings)
    raw = settings.intensity == "raw"
    fitted = np.stack(
        [
            fit_to(shade, pixels.spacing, size, settings.fit, float(shade.min()) if raw else 0.0)
            for shade in shades
        ]
    )
    if not np.isfinite(fitted).all():  # a filter's squares were too large
        raise MedflError("its values are too large to be computed with.")
    remark_if_lost(whole.values, shades, partial(_levels, raw=raw))
    if raw and (beyond := int((np.abs(fitted) > LIMITS.max).sum())):
        remark([f"{beyond:,} values are beyond the {LIMITS.max:,} of int16: cut off there"])
    return _repeat(_levels(fitted, raw), settings)


def least_side(settings: Preprocess, size: int) -> int | None:
    """How many pixels each side of a photograph needs for ``to_store`` at this size.

    It is twice what blocks are averaged down to, because a decoder's blocks do not end where the
    picture does. None where a step looks at single pixels, which need the full resolution.
    """
    if settings.sector_crop or settings.despeckle:
        return None
    return int(2 * CLOSE * size / (SMALLEST if settings.crop_borders else 1))


def _levels(shade: np.ndarray, raw: bool) -> np.ndarray:
    """What the store holds of values: int16 in the scanner's units, or uint8 of [0, 1]."""
    if raw:
        levels = np.clip(np.rint(shade), LIMITS.min, LIMITS.max).astype(np.int16)
    else:
        levels = np.rint(np.clip(shade, 0, 1) * np.float32(255)).astype(np.uint8)
    return np.asarray(levels)


def _understood(pixels: Pixels, settings: Preprocess) -> Pixels:
    """Make pixels fit the settings: grey if they say so, and with finite values only."""
    if pixels.is_volume:
        for step in ("sector_crop", "despeckle"):
            if getattr(settings, step):
                raise MedflError(f"`{step}` is for images, and this is a volume: set it to false.")
    if settings.n4 and pixels.is_colour and settings.channels == 3:
        raise MedflError("`n4` is for grey images, and this one has colour: set `channels: 1`.")
    if pixels.is_colour and settings.channels == 1:
        constant = constant_colour(pixels.values, settings.colour_constancy)
        pixels = luminance(replace(pixels, values=constant))
    try:
        values, valid = only_numbers(pixels.values, pixels.valid, pixels.is_colour)
    except Reason as error:
        raise MedflError(f"{error}.") from error
    return replace(pixels, values=values, valid=valid)


def _crop(pixels: Pixels, settings: Preprocess) -> Pixels:
    if settings.sector_crop:
        pixels = crop_sector(pixels)
    return crop_borders(pixels) if settings.crop_borders else pixels


def _shades(pixels: Pixels, settings: Preprocess) -> list[np.ndarray]:
    """Make the channels: three for colour; grey is not repeated yet."""
    if settings.n4:
        pixels = replace(pixels, values=correct_bias(pixels))
    if settings.despeckle:
        smooth = despeckle(pixels.values, pixels.valid, settings.despeckle_width)
        pixels = replace(pixels, values=smooth)
    if pixels.is_colour:
        pixels = replace(pixels, values=constant_colour(pixels.values, settings.colour_constancy))
        if pixels.valid is not None:
            pixels = replace(pixels, valid=np.repeat(pixels.valid[..., None], 3, axis=-1))
    shades = channels_of(pixels, settings)
    if pixels.is_colour:
        shades = [np.ascontiguousarray(shades[0][..., channel]) for channel in range(3)]
    if settings.clahe:
        shades = [equalize(shade, settings.clahe_clip) for shade in shades]
        if pixels.valid is not None:  # padding stays black
            known = pixels.valid[..., 0] if pixels.is_colour else pixels.valid
            shades = [np.where(known, shade, np.float32(0)) for shade in shades]
    return shades


def _repeat(channels: np.ndarray, settings: Preprocess) -> np.ndarray:
    if len(channels) == settings.channel_count:
        return channels
    return np.repeat(channels, settings.channel_count, axis=0)
