"""Display windows: the part of a scanner's range that becomes black to white.

The window functions are those of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.
"""

from __future__ import annotations

import numpy as np

from medfl.config import did_you_mean
from medfl.errors import MedflError

CT_WINDOWS = {
    "lung": (-600.0, 1500.0),
    "soft_tissue": (40.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
}
"""(centre, width) in Hounsfield units, as radiologists commonly set them."""


def parse_window(word: str | tuple[float, float]) -> tuple[float, float]:
    """A preset's name, or (centre, width) themselves; ``MedflError`` for anything else."""
    if isinstance(word, str):
        if word not in CT_WINDOWS:
            raise MedflError(f"unknown window `{word}`{did_you_mean(word, CT_WINDOWS)}")
        return CT_WINDOWS[word]
    centre, width = word
    if width <= 0:
        raise MedflError(f"the width of the window must be positive, not {width}.")
    if not is_window(centre, width):
        raise MedflError(f"a window must be two finite numbers, not {centre} and {width}.")
    return float(centre), float(width)


LINEAR_SMALLEST = 1.0
"""The least width that the standard allows a LINEAR window."""


def is_window(centre: float, width: float) -> bool:
    """Whether numbers are those of a window, which float32 can compute: its width positive."""
    limit = float(np.finfo(np.float32).max)
    ends = np.array([centre, width, centre - width, centre + width])
    return bool(width > 1 / limit and (np.abs(ends) < limit).all())


def apply_window(
    values: np.ndarray, centre: float, width: float, function: str = "LINEAR"
) -> np.ndarray:
    """Map values to [0, 1] through one window, which is in the same units as they.

    float32 stays float32; integers become float64.
    """
    values = np.asarray(values)
    if values.dtype != np.float32:
        values = values.astype(np.float64)
    if function == "SIGMOID":
        with np.errstate(over="ignore"):  # 1 / (1 + infinity) is 0, which is right
            return 1 / (1 + np.exp(-4 * (values - centre) / width))
    if function == "LINEAR":  # the standard means integers: the window's ends are pixel values
        centre, width = centre - 0.5, width - 1
    if width <= 0:
        return (values > centre).astype(values.dtype)
    shown = (values - (centre - width / 2)) * (1 / width)
    return np.clip(shown, 0, 1, out=shown)
