"""Federated algorithms: one short file each, the paper at its top."""

from medfl.algorithms.base import ClientUpdate, FederatedAlgorithm
from medfl.algorithms.registry import ALGORITHMS

__all__ = ["ALGORITHMS", "ClientUpdate", "FederatedAlgorithm"]
