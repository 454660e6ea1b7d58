"""FedAvg. McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized
Data, AISTATS 2017, algorithm 1.
"""

from medfl.algorithms.base import FederatedAlgorithm


class FedAvg(FederatedAlgorithm):
    """The weighted average of the clients' models: x ← Σ p_i y_i."""
