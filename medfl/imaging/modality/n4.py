"""N4 takes out the smooth field by which MRI coils see near tissue brighter."""

from __future__ import annotations

from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.imaging.modality.intensity import foreground
from medfl.imaging.pixels import Pixels

# The field is smooth, so it is fitted on about this many voxels along each axis of an image (2) or
# a volume (3). On 48 voxels instead of 32 it took three times as long and was no better.
COARSE = {2: 64, 3: 32}


def correct_bias(pixels: Pixels) -> np.ndarray:
    """Divide values, (H, W) or (D, H, W), by the bias field that N4 fits to the foreground.

    Tustison et al., IEEE TMI 2010, as SimpleITK computes it with its defaults.
    """
    sitk = _simpleitk()
    values = pixels.values
    image, mask = sitk.GetImageFromArray(values), foreground(pixels) & (values > 0)
    if not mask.any():
        return values
    image.SetSpacing([float(step) for step in reversed(pixels.spacing)])
    region = sitk.GetImageFromArray(mask.astype(np.uint8))
    region.CopyInformation(image)
    coarse = COARSE[values.ndim]
    factors = [max(1, length // coarse) for length in reversed(values.shape)]
    fit = sitk.N4BiasFieldCorrectionImageFilter()
    fit.SetNumberOfThreads(1)  # images are prepared side by side
    try:
        fit.Execute(sitk.Shrink(image, factors), sitk.Shrink(region, factors))
        field = sitk.GetArrayFromImage(fit.GetLogBiasFieldAsImage(image)).astype(np.float32)
    except RuntimeError as error:
        shape = "x".join(str(length) for length in values.shape)
        raise MedflError(
            f"N4 cannot fit a bias field to {shape} voxels: set `n4: false`"
        ) from error
    field -= field[mask].mean()  # N4 leaves its level open; the tissue keeps its own
    return values * np.exp(-field)


def _simpleitk() -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise MedflError(
            "`n4: true` needs SimpleITK: pip install medfl[n4], or set `n4: false`."
        ) from error
    return SimpleITK
