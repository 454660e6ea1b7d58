"""The settings of `medfl attack`: the only place that knows their defaults."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from medfl.config.base import Section

LENET = "medfl.privacy.attacks.lenet:lenet"
MOST, MANY = 10**6, 10**4  # beyond, an attack would take years, or more memory than there is
NOISE = "medfl.privacy.attacks.noise:RelativeNoise"
PROTECTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "clip": {"clip": {"norm": 0.01}},
    "quantize-8bit": {"quantize": {"bits": 8}},
    "quantize-2bit": {"quantize": {"bits": 2}},
    "clip+noise-0.1": {"clip": {"norm": 0.01}, NOISE: {"ratio": 0.1}},
    "clip+noise-1": {"clip": {"norm": 0.01}, NOISE: {"ratio": 1.0}},
    "clip+noise-10": {"clip": {"norm": 0.01}, NOISE: {"ratio": 10.0}},
    # Each client's size is public, as its batches are: with one image it is drawn at every step.
    "dp-image": {"dp_image": {"noise_multiplier": 1.0, "size_step": 1}},
    "secure-aggregation": {"secure_aggregation": {"bound": 1.0}},
    "ckks": {"ckks": {"bound": 1.0}},
    "ckks-share-0.9": {"ckks": {"bound": 1.0, "share": 0.9}},
}
"""Chains that are attacked beside a person's own arms: name → links with their parameters."""


class Optimisation(Section):
    """How an image is sought whose update is like the one that was seen."""

    iterations: int = Field(
        300, ge=1, le=MOST, description="steps of an attempt to find the images"
    )
    restarts: int = Field(
        1, ge=1, le=MOST, description="attempts; the one with the best objective counts"
    )
    step: float = Field(0.1, gt=0, description="first step, in normalised pixel values")
    total_variation: float = Field(
        0.01, ge=0, description="weight of the mean difference of neighbouring pixels"
    )
    statistics_weight: float = Field(
        0.1, ge=0, description="weight of the distance of batch-norm statistics, where seen"
    )


class InversionSettings(Optimisation):
    """The attack that rebuilds training images from what a client sent."""

    network: str = Field(
        LENET, description="of the attack by optimisation; cnn, or one of your own"
    )
    images: int = Field(
        2, ge=1, le=MOST, description="how many clients are attacked, one after the other"
    )
    batches: list[int] = Field(
        default_factory=lambda: [1, 2, 4, 8], min_length=1, description="images of a client"
    )
    clients: int = Field(8, ge=3, le=MANY, description="clients in the sum")
    local_steps: int = Field(
        1, ge=1, le=MOST, description="steps of a client, each on all of its images"
    )
    learning_rate: float = Field(0.05, gt=0, description="of the clients")
    seed: int = Field(0, ge=0, description="which images, which network, which first guess")

    @field_validator("batches")
    @classmethod
    def _are_sizes(cls, values: list[int]) -> list[int]:
        if min(values) < 1 or max(values) > MANY or len(set(values)) < len(values):
            raise ValueError(f"batches are different numbers from 1 to {MANY:,}, such as 1,2,4,8")
        return values


class MembershipSettings(Section):
    """The attack that tells whether an image was trained on."""

    shadows: int = Field(
        12, ge=4, le=MANY, description="federations on random halves of the patients"
    )
    clients: int = Field(4, ge=1, le=MANY, description="clients of each federation")
    rounds: int = Field(10, ge=1, le=MOST, description="rounds of each federation")
    local_steps: int = Field(30, ge=1, le=MOST, description="steps of a client in a round")
    batch_size: int = Field(32, ge=2, le=MOST, description="images of a step")
    learning_rate: float = Field(0.05, gt=0, description="of the clients")
    seed: int = Field(0, ge=0, description="which halves, which networks")
