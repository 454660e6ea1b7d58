"""Quantity skew: clients of different size with the same mixture of classes."""

from __future__ import annotations

import numpy as np

from medfl.partition.random import stream


def power_law_shares(num_clients: int, exponent: float) -> np.ndarray:
    """(M,) shares of all samples, the i-th client's proportional to (i + 1)^-exponent.

    The first client is the largest; exponent 0 makes all equal, 1 is Zipf's law.
    """
    # Relative to the largest, in logarithms: a large exponent underflows to 0, never to 0/0.
    weight = np.exp(-exponent * np.log(np.arange(1, num_clients + 1)))
    return weight / weight.sum()


def dirichlet_sizes(num_clients: int, alpha: float, seed: int) -> np.ndarray:
    """(M,) shares of all samples, drawn from a symmetric Dirichlet.

    Li et al., "Federated learning on non-IID data silos: an experimental study", ICDE 2022, IV-D.
    """
    return stream(seed, "dirichletquantity").dirichlet(np.full(num_clients, alpha))
