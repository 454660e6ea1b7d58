"""Choose which of a scanner's values become black and white.

All statistics are over what was really scanned: padding never counts.
"""

from __future__ import annotations

import numpy as np

from medfl.errors import MedflError
from medfl.imaging.modality.presets import Preprocess
from medfl.imaging.pixels import Pixels
from medfl.imaging.windows import apply_window, parse_window

# Percentiles of a regular sample of this size stray by 0.03 % of the ranks, and save most of the
# time that sorting a large image or volume takes.
SAMPLE = 100_000


def channels_of(pixels: Pixels, settings: Preprocess) -> list[np.ndarray]:
    """Make one float32 array for each window, or a single one, of the values' shape.

    They lie in [0, 1], bright where the value is high or, if inverted, low; padding is 0. With
    ``intensity: raw`` they keep their own units, and padding gets the lowest value.
    """
    if settings.intensity == "raw":
        return [_raw(pixels)]
    if settings.intensity == "window":
        if any(isinstance(window, str) for window in settings.windows):
            _must_be_hounsfield(pixels)
        windows = (parse_window(window) for window in settings.windows)
        shown = [apply_window(pixels.values, *window) for window in windows]
    elif settings.intensity == "zscore":
        shown = [robust_zscore(pixels, settings.zscore_limit)]
    else:
        shown = [_scaled(pixels, settings)]
    if pixels.inverted:
        shown = [1 - channel for channel in shown]
    if pixels.valid is not None:
        shown = [np.where(pixels.valid, channel, np.float32(0)) for channel in shown]
    return shown


def robust_zscore(pixels: Pixels, limit: float) -> np.ndarray:
    """Map z = (v - median) / (IQR / 1.349) from [-limit, limit] to [0, 1]: MRI has no units.

    Median and interquartile range are those of the foreground. IQR / 1.349 is the standard
    deviation of normal data (Tukey), but fat and vessels do not move it. The z-score over the
    foreground of a whole volume is the usual normalisation: Reinhold et al., SPIE Medical Imaging
    2019; Isensee et al., nnU-Net, Nature Methods 2021.
    """
    inside = _sample(pixels.values[foreground(pixels)])
    if not inside.size:
        return np.zeros_like(pixels.values)
    first, median, third = (float(value) for value in np.percentile(inside, (25, 50, 75)))
    deviation = (third - first) / 1.349 or float(inside.std())
    if deviation == 0:
        return np.where(pixels.values > median, 1, 0.5 * (pixels.values == median)).astype("f4")
    return _between(pixels.values, median - limit * deviation, median + limit * deviation)


def foreground(pixels: Pixels) -> np.ndarray:
    """Mark where the body is: above half the median of what lies above that same level.

    The level is found by iteration, as AFNI's 3dClipLevel does (Cox, Comput. Biomed. Res. 1996).
    Unlike the mean or Otsu's threshold it keeps dark tissue, such as a cyst. The mask has the shape
    of ``values``; where nothing lies above the level it holds all that is valid.
    """
    values, valid = pixels.values, pixels.valid
    known = values if valid is None else values[valid]
    above = values > _clip_level(_sample(known)) if known.size else np.zeros(values.shape, bool)
    if valid is not None:
        above &= valid
    if above.any():
        return above
    return np.ones(values.shape, bool) if valid is None else valid


def _clip_level(values: np.ndarray) -> float:
    level = float(np.sqrt(0.5 * np.square(values, dtype=np.float64).mean()))
    for _ in range(66):
        above = values[values > level]
        new = float(np.median(above)) / 2 if above.size else 0.0
        if new == level:
            break
        level = new
    return level


def _scaled(pixels: Pixels, settings: Preprocess) -> np.ndarray:
    values, span, intensity = pixels.values, pixels.value_range, settings.intensity
    if intensity == "file":
        if pixels.table is not None:
            first, levels = pixels.table
            place = np.clip(np.rint(values) - first, 0, len(levels) - 1)
            return levels[place.astype(np.int32)].astype(np.float32, copy=False)
        if pixels.window is not None:
            return apply_window(values, *pixels.window)
        # 8 bits are made to be looked at; of a wider range, an image uses only a part.
        shown_whole = span is not None and span[1] - span[0] <= 255
        intensity = "full" if shown_whole else "percentile"
    if intensity == "full" and span is not None:
        return _between(values, *span)
    inside = values if pixels.valid is None else values[pixels.valid]
    if not inside.size:
        return np.zeros_like(values)
    if intensity == "full":
        return _between(values, float(inside.min()), float(inside.max()))
    low, high = (float(edge) for edge in np.percentile(_sample(inside), settings.percentiles))
    if settings.modality == "mri":  # how much air there is shall not decide what is white
        high = float(np.percentile(_sample(values[foreground(pixels)]), settings.percentiles[1]))
    return _between(values, low, high)


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.zeros_like(values)
    scaled = (values - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(scaled, 0, 1, out=scaled)


def _sample(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[:: max(1, flat.size // SAMPLE)]


def _raw(pixels: Pixels) -> np.ndarray:
    values = pixels.values
    inside = values if pixels.valid is None else values[pixels.valid]
    if not inside.size:
        return np.zeros_like(values)
    low, high = float(inside.min()), float(inside.max())
    if pixels.inverted:  # the range is mirrored, so that bright is dense in every store
        total = np.float32(sum(pixels.value_range or (low, high)))
        values, low = total - values, float(total) - high
    return values if pixels.valid is None else np.where(pixels.valid, values, np.float32(low))


def _must_be_hounsfield(pixels: Pixels) -> None:
    span = pixels.value_range
    if pixels.is_colour or (span is not None and span[0] >= 0):
        low, high = span or (0, 255)
        raise MedflError(
            f"a CT window needs Hounsfield units, but these are pixel values from {low:g} to "
            f"{high:g}: for pictures that were windowed when they were saved, set `intensity: full`"
        )
