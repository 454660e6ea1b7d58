"""Ditto. Li et al., Fair and Robust Federated Learning Through Personalization, ICML 2021,
algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import ClientUpdate, HyperParams
from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient
    from medfl.federated.vector import FlatModel, Gradient


class Ditto(FedAvg):
    """FedAvg for the global model; beside it each client trains its own, drawn towards it.

    The personal objective is F_i(v) + λ/2 ‖v − x‖², with as many local steps as the global one.
    """

    evaluated = "personal"
    statistics = "global model: averaged; personal models: each client's own"

    class Params(HyperParams):
        """lam: λ, the pull of the global model."""

        lam: float = Field(0.1, ge=0)

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """Train the personal model against the model that the server sent."""
        trained, buffers = update.vector.clone(), update.buffers.clone()
        self.personal_model(client, model)

        def pull(gradient: Gradient, personal: FlatModel, _: FederatedClient) -> None:
            gradient.add_(personal.vector, alpha=self.params.lam)
            gradient.add_(self.server.vector, alpha=-self.params.lam)

        client.descend(model, "personal", correct_gradient=pull)
        client.state["personal"] = model.vector.clone()
        client.state["personal_buffers"] = model.buffers.clone()
        update.vector, update.buffers = trained, buffers

    def personal_model(self, client: FederatedClient, model: FlatModel) -> None:
        """The client's own model; before its first round the server's."""
        if "personal" in client.state:
            model.load(client.state["personal"], client.state["personal_buffers"])
        else:
            client.receive(model)
