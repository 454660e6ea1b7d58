"""How much differential privacy a run has spent, and how much noise a budget needs."""

from medfl.privacy.accounting.calibration import (
    least_noise,
    most_steps,
    noise_for,
    refuse_no_noise,
    steps_within,
)
from medfl.privacy.accounting.epsilon import Accountant, epsilon_of
from medfl.privacy.accounting.gaussian import gaussian_delta, gaussian_epsilon
from medfl.privacy.accounting.skellam import skellam_divergence, skellam_epsilon, skellam_tail

__all__ = [
    "Accountant",
    "epsilon_of",
    "gaussian_delta",
    "gaussian_epsilon",
    "least_noise",
    "most_steps",
    "noise_for",
    "refuse_no_noise",
    "skellam_divergence",
    "skellam_epsilon",
    "skellam_tail",
    "steps_within",
]
