"""The networks by name, their two parts, and group norm in place of batch norm."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from medfl.models.registry import MODELS

if TYPE_CHECKING:
    from medfl.models.build import build_model
    from medfl.models.classifier import Classifier
    from medfl.models.normalization import (
        batch_norm_parameter_names,
        batch_to_group_norm,
        normalization_modules,
    )

_HOMES = {
    "Classifier": "classifier",
    "batch_norm_parameter_names": "normalization",
    "batch_to_group_norm": "normalization",
    "build_model": "build",
    "normalization_modules": "normalization",
}

__all__ = [
    "MODELS",
    "Classifier",
    "batch_norm_parameter_names",
    "batch_to_group_norm",
    "build_model",
    "normalization_modules",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: checking a grid needs no PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
