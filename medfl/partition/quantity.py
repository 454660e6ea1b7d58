"""Quantity skew: clients differ in size and have the same mixture of classes."""

from __future__ import annotations

import numpy as np

from medfl.partition.base import ALPHA, Partition, Request, Value, same_mixture
from medfl.partition.random import stream


class PowerLaw(Partition):
    """Clients' sizes follow a power law (``power_law_shares``)."""

    value = Value("the exponent", "1.5", high=100)
    title = "Quantity, exponent {}"

    def shares(self, request: Request) -> np.ndarray:
        """(M, K) shares, the same for every label."""
        return same_mixture(power_law_shares(request.clients, self.number), request.groups)


class DirichletSizes(Partition):
    """Clients' sizes are drawn from a Dirichlet distribution (``dirichlet_sizes``)."""

    value = ALPHA
    title = "Dirichlet label and quantity α = {}"

    def shares(self, request: Request) -> np.ndarray:
        """(M, K) shares, the same for every label."""
        sizes = dirichlet_sizes(request.clients, self.number, request.seed)
        return same_mixture(sizes, request.groups)


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
