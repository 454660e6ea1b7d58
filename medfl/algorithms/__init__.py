"""Federated algorithms: one short file each, the paper at its top."""

from medfl.algorithms.base import ClientUpdate, FederatedAlgorithm
from medfl.algorithms.registry import available, check_params, create, load_class

__all__ = [
    "ClientUpdate",
    "FederatedAlgorithm",
    "available",
    "check_params",
    "create",
    "load_class",
]
