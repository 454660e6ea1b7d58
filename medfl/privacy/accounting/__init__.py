"""How much differential privacy a run has spent, and how much noise a budget needs."""

from medfl.privacy.accounting.calibration import noise_for, steps_within
from medfl.privacy.accounting.epsilon import Accountant, epsilon_of
from medfl.privacy.accounting.gaussian import gaussian_delta, gaussian_epsilon

__all__ = [
    "Accountant",
    "epsilon_of",
    "gaussian_delta",
    "gaussian_epsilon",
    "noise_for",
    "steps_within",
]
