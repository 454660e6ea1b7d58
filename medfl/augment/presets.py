"""What may happen to images of each modality, and how strongly it does.

Anatomy decides about mirroring; docs/augmentation.md gives the reasons. Volumes are (D, H, W) with
axial slices along D, so that W runs from the patient's one side to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Probabilities and limits, as the configuration's section ``augmentation`` names them."""

    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    flip_depth: float = 0.0
    affine_probability: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    elastic_probability: float = 0.0
    elastic: float = 0.0
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    blur_probability: float = 0.0
    blur: float = 0.0
    low_resolution_probability: float = 0.0
    low_resolution: float = 1.0
    bias_field_probability: float = 0.0
    bias_field: float = 0.0
    stain_probability: float = 0.0
    stain: float = 0.0
    colour_probability: float = 0.0
    colour: float = 0.0
    tone_probability: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise_probability: float = 0.0
    noise: float = 0.0
    noise_kind: Literal["gaussian", "rician", "poisson", "speckle"] = "gaussian"
    cutout_probability: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


# Each probability with the limits that it switches on.
SWITCHES = {
    "affine_probability": ("rotation", "scale", "shift", "shear"),
    "elastic_probability": ("elastic",),
    "blur_probability": ("blur",),
    "low_resolution_probability": ("low_resolution",),
    "bias_field_probability": ("bias_field",),
    "stain_probability": ("stain",),
    "colour_probability": ("colour",),
    "tone_probability": ("brightness", "contrast", "gamma"),
    "noise_probability": ("noise",),
    "cutout_probability": ("cutout",),
}


# Where black is air or the absence of signal, brightness and gamma keep it black; contrast, which
# turns about the mean, would lift it. Hence contrast in the others only.
PRESETS = {
    "xray": Recipe(
        affine_probability=0.7, rotation=7, scale=0.1, shift=0.05, shear=2,
        elastic_probability=0.1, elastic=0.02, padding="zeros",
        blur_probability=0.1, blur=0.6,
        tone_probability=0.7, brightness=0.08, contrast=0.15, gamma=0.2,
        noise_probability=0.3, noise=0.008, noise_kind="poisson",
    ),
    "ct": Recipe(
        affine_probability=0.7, rotation=10, scale=0.12, shift=0.05, shear=2,
        elastic_probability=0.15, elastic=0.025, padding="zeros",
        blur_probability=0.1, blur=0.6,
        tone_probability=0.5, brightness=0.06, gamma=0.12,
        noise_probability=0.3, noise=0.025, noise_kind="gaussian",
    ),
    "mri": Recipe(
        flip_horizontal=0.5,
        affine_probability=0.7, rotation=12, scale=0.12, shift=0.05, shear=2,
        elastic_probability=0.15, elastic=0.02, padding="zeros",
        blur_probability=0.1, blur=0.6,
        low_resolution_probability=0.1, low_resolution=1.8,
        bias_field_probability=0.3, bias_field=0.3,
        tone_probability=0.6, brightness=0.1, gamma=0.25,
        noise_probability=0.2, noise=0.02, noise_kind="rician",
    ),
    "ultrasound": Recipe(
        flip_horizontal=0.5,
        affine_probability=0.6, rotation=8, scale=0.12, shift=0.06, shear=2,
        elastic_probability=0.15, elastic=0.02, padding="zeros",
        blur_probability=0.15, blur=0.7,
        tone_probability=0.6, brightness=0.12, gamma=0.25,
        noise_probability=0.3, noise=0.08, noise_kind="speckle",
    ),
    "dermatoscopy": Recipe(
        flip_horizontal=0.5, flip_vertical=0.5,
        affine_probability=0.8, rotation=180, scale=0.15, shift=0.06, shear=5,
        elastic_probability=0.1, elastic=0.015, padding="reflection",
        blur_probability=0.1, blur=0.6,
        colour_probability=0.5, colour=0.05,
        tone_probability=0.6, brightness=0.1, contrast=0.15, gamma=0.12,
        noise_probability=0.1, noise=0.02,
    ),
    "histology": Recipe(
        flip_horizontal=0.5, flip_vertical=0.5,
        affine_probability=0.7, rotation=180, scale=0.1, shift=0.05, shear=3,
        elastic_probability=0.2, elastic=0.02, padding="reflection",
        blur_probability=0.15, blur=0.7,
        stain_probability=0.6, stain=0.15,
        tone_probability=0.4, brightness=0.06, contrast=0.1, gamma=0.08,
        noise_probability=0.1, noise=0.02,
    ),
    "photo": Recipe(
        flip_horizontal=0.5,
        affine_probability=0.7, rotation=15, scale=0.15, shift=0.06, shear=3,
        padding="reflection",
        blur_probability=0.1, blur=0.6,
        colour_probability=0.4, colour=0.06,
        tone_probability=0.6, brightness=0.15, contrast=0.15, gamma=0.15,
        noise_probability=0.15, noise=0.025,
    ),
}  # fmt: skip

# Published sets of dermatoscopic images whose stores say XC, a photograph, where DICOM's code would
# be DMS. Their stores keep the code that they were first made with, since splits and results name
# the store by its bytes; so what the images show is said here.
OF_DATASET = dict.fromkeys(("ham10000", "isic2019", "fed-isic2019", "dermamnist"), "dermatoscopy")
