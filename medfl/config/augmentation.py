"""The section `augmentation`; what it does stands in ``medfl/augment``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from medfl.config.base import Section

Chance = Annotated[float, Field(ge=0, le=1)]
Limit = float


class Augmentation(Section):
    """Random changes of the training images; docs/augmentation.md says what each one does.

    A key that is left out has the preset's value. The strength scales only the preset's own
    magnitudes; a number that is given here is taken as it is.
    """

    preset: Literal[
        "none", "auto", "xray", "ct", "mri", "ultrasound", "dermatoscopy", "histology", "photo"
    ] = Field("none", description="auto: by the dataset's modality")
    strength: Literal["light", "medium", "strong"] = "medium"
    flip_horizontal: Chance | None = Field(None, description="left and right change places")
    flip_vertical: Chance | None = None
    flip_depth: Chance | None = Field(
        None, description="in volumes the first slice becomes the last"
    )
    affine_probability: Chance | None = None
    rotation: Limit | None = Field(None, ge=0, le=180, description="degrees, either way")
    scale: Limit | None = Field(None, ge=0, lt=1, description="0.1: 1/1.1 to 1.1 times as large")
    shift: Limit | None = Field(None, ge=0, le=0.5, description="part of the image's side")
    shear: Limit | None = Field(None, ge=0, le=45, description="degrees")
    elastic_probability: Chance | None = None
    elastic: Limit | None = Field(
        None,
        ge=0,
        le=0.1,
        description="displacement of a node, part of the image's side",
    )
    padding: Literal["zeros", "border", "reflection"] | None = Field(
        None, description="what moves in from outside the image"
    )
    blur_probability: Chance | None = None
    blur: Limit | None = Field(None, ge=0, le=5, description="deviation in pixels")
    low_resolution_probability: Chance | None = None
    low_resolution: Limit | None = Field(None, ge=1, le=4, description="pixels this much larger")
    bias_field_probability: Chance | None = None
    bias_field: Limit | None = Field(None, ge=0, le=2, description="logarithm of the coils' gain")
    stain_probability: Chance | None = None
    stain: Limit | None = Field(None, ge=0, lt=1, description="part of each dye's density")
    colour_probability: Chance | None = None
    colour: Limit | None = Field(None, ge=0, lt=1, description="gain of each channel, saturation")
    tone_probability: Chance | None = None
    brightness: Limit | None = Field(None, ge=0, lt=1, description="0.1: 0.9 to 1.1 times")
    contrast: Limit | None = Field(None, ge=0, lt=1, description="about the image's mean")
    gamma: Limit | None = Field(None, ge=0, le=3, description="0.2: exponent 1/1.2 to 1.2")
    noise_probability: Chance | None = None
    noise: Limit | None = Field(None, ge=0, le=1, description="deviation; 1 is black to white")
    noise_kind: Literal["gaussian", "rician", "poisson", "speckle"] | None = None
    cutout_probability: Chance | None = None
    cutout: Limit | None = Field(
        None, ge=0, le=1, description="side of the box, part of the image's side"
    )
    mixup: Limit = Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off")
    cutmix: Limit = Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off")

    @model_validator(mode="after")
    def _changes_a_preset(self) -> Augmentation:
        given = sorted(self.overrides())
        if self.preset == "none" and given:
            raise ValueError(f"{given[0]} changes a preset: choose one, such as `preset: auto`")
        return self

    def overrides(self) -> dict[str, Any]:
        """The settings that take the place of the preset's own."""
        shared = {"preset", "strength", "mixup", "cutmix"}
        return self.model_dump(exclude=shared, exclude_none=True)
