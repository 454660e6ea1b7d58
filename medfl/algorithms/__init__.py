"""Federated algorithms: one short file each, the paper at its top."""

from medfl.algorithms.base import FederatedAlgorithm, Work
from medfl.algorithms.registry import ALGORITHMS

__all__ = ["ALGORITHMS", "FederatedAlgorithm", "Work"]
