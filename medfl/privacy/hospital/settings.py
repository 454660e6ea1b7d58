"""Settings of hospital-level differential privacy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from medfl.config import Held
from medfl.config.privacy import Delta, Epsilon, GradientNorm, NoiseMultiplier
from medfl.privacy.accounting import Accountant
from medfl.registry import HyperParams


class AdaptiveClipping(HyperParams):
    """The bound C follows a quantile of the updates' norms, which is estimated under noise.

    quantile: γ, the share of updates that shall not be clipped. learning_rate: η_C. bit_noise: the
    deviation σ_b of the noise on the number of unclipped updates, as a share of the hospitals that
    are expected in a round; the noise on the updates grows so that both together cost what
    noise_multiplier says.
    """

    quantile: float = Field(0.5, gt=0, lt=1)
    learning_rate: float = Field(0.2, gt=0)
    bit_noise: float = Field(0.05, gt=0)


class HospitalParams(HyperParams):
    """How updates are bounded, what noise hides them, and what is accounted for.

    noise_multiplier: z, the noise's deviation on the sum of updates divided by max_grad_norm; by
    default what target_epsilon needs for the rounds that are planned. 0 without a target_epsilon
    is the reference without privacy. max_grad_norm: C, the bound of a hospital's whole update;
    under adaptive clipping the first one. target_epsilon: the budget of each hospital.
    target_delta: δ. sampling_rate: q, the probability with which each hospital takes part in a
    round; 1 leaves that to clients_per_round. scales: part → the factor by which it counts in the
    norm, 1 by default. adaptive: adaptive clipping; null keeps C. noise: central, added to the sum
    by the server; or distributed, whole numbers that every hospital adds under masks. accountant:
    for a sampling rate below 1. max_noise_ratio: refuse a run in which the noise of the mean is
    longer than this times C. secure: draw from the system's source of randomness, so that nobody
    can repeat the run.
    """

    noise_multiplier: NoiseMultiplier | None = None
    max_grad_norm: GradientNorm = 1.0
    target_epsilon: Epsilon | None = None
    target_delta: Delta = 1e-5
    sampling_rate: float = Field(1.0, gt=0, le=1)
    scales: dict[str, Annotated[float, Field(gt=0), Held(), Held(-1)]] = Field(default_factory=dict)
    adaptive: AdaptiveClipping | None = None
    noise: Literal["central", "distributed"] = "central"
    accountant: Accountant = "rdp"
    max_noise_ratio: float = Field(1.3, gt=0)
    secure: bool = False
