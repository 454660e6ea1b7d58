"""How like its original a reconstruction is: PSNR and SSIM, after finding which is which."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float64]


@dataclass(frozen=True)
class Reconstruction:
    """One original beside its reconstruction.

    Attributes:
        original: (C, H, W), pixels from 0 to 1.
        found: (C, H, W), the reconstruction, cut to that range.
        psnr: dB; infinite where both are equal.
        ssim: structural similarity, at most 1.
    """

    original: Images
    found: Images
    psnr: float
    ssim: float


def psnr(original: Images, found: Images) -> float:
    """Peak signal-to-noise ratio in dB of pixels from 0 to 1."""
    error = float(np.mean((original - found) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(original: Images, found: Images) -> float:
    """Structural similarity (Wang et al. 2004) of images (C, H, W) from 0 to 1."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(original, found, data_range=1.0, channel_axis=0))


def compare(originals: Images, candidates: Images) -> list[Reconstruction]:
    """Pair each original with the candidate that is nearest, each candidate at most once if enough.

    An attacker does not know the originals. Which of its candidates is which image is found with
    them, as in the literature, so what is measured favours the attack.

    Args:
        originals: (N, C, H, W), pixels from 0 to 1.
        candidates: (R, C, H, W), R ≥ 1; they are cut to that range.
    """
    from scipy.optimize import linear_sum_assignment

    candidates = np.clip(np.nan_to_num(candidates), 0.0, 1.0)
    apart = ((originals[:, None] - candidates[None]) ** 2).mean(axis=(2, 3, 4))
    chosen = apart.argmin(axis=1)
    if len(candidates) >= len(originals):
        rows, columns = linear_sum_assignment(apart)
        chosen[rows] = columns
    return [
        Reconstruction(one, found := candidates[at], psnr(one, found), ssim(one, found))
        for one, at in zip(originals, chosen, strict=True)
    ]
