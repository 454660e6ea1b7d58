"""Algorithms by name, and a user's own by ``module:Class``. Importing this imports no torch."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from medfl.algorithms.base import FederatedAlgorithm
from medfl.config import did_you_mean, validate
from medfl.errors import MedflError

_CLASSES = {
    "fedavg": "fedavg:FedAvg",
    "fedprox": "fedprox:FedProx",
    "fednova": "fednova:FedNova",
    "scaffold": "scaffold:Scaffold",
    "fedbn": "fedbn:FedBN",
    "fedavgm": "server_optimizers:FedAvgM",
    "fedadam": "server_optimizers:FedAdam",
    "fedyogi": "server_optimizers:FedYogi",
    "fedadagrad": "server_optimizers:FedAdagrad",
    "feddyn": "feddyn:FedDyn",
    "moon": "moon:Moon",
    "ditto": "ditto:Ditto",
    "finetune": "finetune:FineTune",
    "centralized": "baselines:Centralized",
    "local": "baselines:Local",
}


def available() -> list[str]:
    """The names of the built-in algorithms."""
    return list(_CLASSES)


def load_class(name: str) -> type[FederatedAlgorithm]:
    """The class of a built-in algorithm, or of a user's own ``my_package.module:MyClass``."""
    if name in _CLASSES:
        module, attribute = _CLASSES[name].split(":")
        return getattr(importlib.import_module(f"medfl.algorithms.{module}"), attribute)
    if ":" not in name:
        raise MedflError(
            f"unknown algorithm `{name}`{did_you_mean(name, _CLASSES)} "
            "Your own class is named as my_package.module:MyClass."
        )
    module, attribute = name.split(":", 1)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever a user's module does while it is imported
        raise MedflError(
            f"the algorithm `{name}` cannot be loaded: {type(error).__name__}: {error}. The module "
            "must be importable from the folder that the command runs in."
        ) from error
    if not (isinstance(found, type) and issubclass(found, FederatedAlgorithm)):
        raise MedflError(f"`{name}` is not a subclass of medfl.FederatedAlgorithm.")
    return found


def check_params(name: str, params: Mapping[str, Any], where: str) -> None:
    """Check hyper-parameters without building anything: a typo is a ``MedflError``."""
    validate(load_class(name).Params, dict(params), where)


def create(name: str, params: Mapping[str, Any]) -> FederatedAlgorithm:
    """Build an algorithm with its hyper-parameters."""
    kind = load_class(name)
    try:
        return kind(**params)
    except ValidationError:
        check_params(name, params, f"the algorithm `{name}`")
        raise
