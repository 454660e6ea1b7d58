"""Make the arrays of a store from volumes in files: read, resample, window, fit into a box."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medfl.errors import MedflError
from medfl.files.walk import walk
from medfl.imaging.kinds import kind_by_ending
from medfl.imaging.modality import Preprocess, render
from medfl.imaging.numbers import remark_if_lost
from medfl.imaging.remarks import remark
from medfl.imaging.volume.canonical import Spacing, Volume, resample
from medfl.imaging.volume.nifti import read_nifti
from medfl.imaging.volume.series import plan_series
from medfl.imaging.volume.stack import read_stack


@dataclass(frozen=True)
class VolumePreprocessor:
    """Makes (1, D, H, W) uint8 of a DICOM series or a NIfTI file, bright = dense.

    Attributes:
        size: sides of the result in voxels, one number or (D, H, W).
        spacing: size of its voxels in mm; None takes the one, equal along all axes, at which the
            volume just fits into the box. With a spacing, the middle of a larger volume is cut
            out, and what a smaller volume does not fill is black.
        window: (centre, width) in modality units; None takes the files' own window or display
            curve, else the 0.5th to 99.5th percentile.
    """

    size: int | tuple[int, int, int]
    spacing: Spacing | None = None
    window: tuple[float, float] | None = None

    def __call__(self, source: str | os.PathLike[str] | Sequence[Path]) -> np.ndarray:
        """Read and fit one volume: a NIfTI file, a folder of DICOM files, or the files themselves.

        Raises:
            MedflError: what is there is not exactly one volume.
        """
        volume = self.read(source)
        remark(volume.notes)
        sides = np.broadcast_to(self.size, 3)
        extent = np.array(volume.pixels.values.shape) * volume.pixels.spacing
        target = float((extent / sides).max()) if self.spacing is None else self.spacing
        volume = resample(volume, target)
        settings = Preprocess(intensity="file")
        if self.window is not None:
            settings = Preprocess(intensity="window", windows=(self.window,))
        shown = render(volume.pixels, settings)[0]
        levels = np.rint(shown * 255).astype(np.uint8)
        remark_if_lost(volume.pixels.values, [levels])
        return fit(levels, tuple(int(side) for side in sides))[None]

    def read(self, source: str | os.PathLike[str] | Sequence[Path]) -> Volume:
        """Read the volume, in the canonical frame, before it is resampled and windowed."""
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            if kind_by_ending(path.name) == "nifti":
                return read_nifti(path)
            files = sorted(walk(path).files) if path.is_dir() else [path]
        else:
            files = list(source)
        stacks, excluded = plan_series(files)
        where = f"{files[0]} and its series" if files else f"{source}"
        if len(stacks) != 1:
            reasons = "; ".join(sorted({one.reason for one in excluded})[:3])
            raise MedflError(
                f"{where} hold {len(stacks)} volumes; one was expected"
                + (f" ({reasons})." if reasons else ".")
            )
        return read_stack(stacks[0])


def fit(values: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """Put the middle of an array into a box of ``sides``: cut where larger, else padded by 0.

    If the difference is odd, the larger half is at the end.
    """
    result = np.zeros(sides, values.dtype)
    source, target = [], []
    for have, want in zip(values.shape, sides, strict=True):
        common = min(have, want)
        first, second = (have - common) // 2, (want - common) // 2
        source.append(slice(first, first + common))
        target.append(slice(second, second + common))
    result[tuple(target)] = values[tuple(source)]
    return result
