"""Networks: backbones, their heads, and what batch norm becomes."""

from medfl.models.build import MODELS, build_model
from medfl.models.classifier import Classifier
from medfl.models.normalization import (
    batch_norm_parameter_names,
    batch_to_group_norm,
    normalization_modules,
)

__all__ = [
    "MODELS",
    "Classifier",
    "batch_norm_parameter_names",
    "batch_to_group_norm",
    "build_model",
    "normalization_modules",
]
