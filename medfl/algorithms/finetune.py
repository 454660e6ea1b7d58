"""Fine-tuned FedAvg. Yu, Bagdasaryan and Shmatikov, Salvaging Federated Learning by Local
Adaptation, 2020; Cheng, Chadha and Duchi, Fine-tuning is Fine in Federated Learning, 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import HyperParams
from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel


class FineTune(FedAvg):
    """FedAvg; each client tunes its model on its own training data before it uses it.

    The tuning happens at evaluation and never flows back into the federation.
    """

    evaluated = "personal"
    statistics = "averaged; then each client's own while it tunes"

    class Params(HyperParams):
        """epochs: passes over the client's training data."""

        epochs: int = Field(1, ge=1)

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the server's model, and tune it.

        The tuning draws from a random stream of its own, so evaluating changes no training.
        """
        client.receive(model)
        client.descend(model, "finetune", epochs=self.params.epochs)
