"""The parameters of DP-SGD."""

from __future__ import annotations

from pydantic import Field

from medfl.config import MOST_STEPS
from medfl.config.privacy import Delta, Epsilon, GradientNorm, NoiseMultiplier
from medfl.privacy.accounting import Accountant
from medfl.registry import HyperParams

DELTA = 1e-5
MOST_VIEWS = 1000  # all views of a step's sample stand in memory


class DescentParams(HyperParams):
    """The parameters of DP-SGD; ``NoisyDescent.Params`` says what each one does."""

    noise_multiplier: NoiseMultiplier | None = None
    max_grad_norm: GradientNorm | None = 1.0
    target_epsilon: Epsilon | None = None
    target_delta: Delta = DELTA
    accountant: Accountant = "rdp"
    size_step: int = Field(10, ge=1)
    views: int = Field(1, ge=1, le=MOST_VIEWS)
    max_samples_at_once: int | None = Field(None, ge=1)
    descents: int = Field(1, ge=1, le=MOST_STEPS)
    secure: bool = False
