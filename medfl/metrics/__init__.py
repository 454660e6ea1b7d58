"""What a model is worth: medical metrics, calibration, and metrics of whole federations."""

from medfl.metrics.calibration import expected_calibration_error
from medfl.metrics.federation import fairness, to_target
from medfl.metrics.interval import Proportion
from medfl.metrics.medical import evaluate

__all__ = ["Proportion", "evaluate", "expected_calibration_error", "fairness", "to_target"]
