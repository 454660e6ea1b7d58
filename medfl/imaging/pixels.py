"""What every reader (DICOM, NIfTI, PNG …) gives, and every preprocessing step takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pixels:
    """A decoded image or volume, before anything is cut off, windowed or resized.

    Attributes:
        values: float32. Grey: (H, W) or (D, H, W) in the modality's units (Hounsfield units for
            CT; full-range pixel values where there are none). Colour: (H, W, 3) in [0, 255].
        spacing: size of a pixel or voxel along each axis of ``values``, in mm where the file
            states it, else relative. Colour has two numbers, none for its channels.
        value_range: lowest and highest value that there can be; None where that means nothing.
        window: (centre, width, function) that the file itself asks for, or None.
        inverted: the lowest value is to be shown white (MONOCHROME1).
        valid: (H, W) or (D, H, W) bool, False for padding outside the scanned field; None where
            there is none.
        table: the display curve that the file itself asks for in place of a window: the value that
            its first entry shows, and (N,) float32 entries in [0, 1]; None where there is none.
        regions: top, bottom, left and right (ends excluded) of the parts of an ultrasound picture
            that show tissue in two dimensions, where the file states them.
    """

    values: np.ndarray
    spacing: tuple[float, ...] = (1.0, 1.0)
    value_range: tuple[float, float] | None = None
    window: tuple[float, float, str] | None = None
    inverted: bool = False
    valid: np.ndarray | None = None
    table: tuple[int, np.ndarray] | None = None
    regions: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def is_colour(self) -> bool:
        """Whether the last axis is three channels, (H, W, 3), and not a volume's columns."""
        return self.values.ndim == 3 and len(self.spacing) == 2

    @property
    def is_volume(self) -> bool:
        """Whether the values are (D, H, W)."""
        return self.values.ndim == 3 and len(self.spacing) == 3
