"""FedDyn. Acar et al., Federated Learning Based on Dynamic Regularization, ICLR 2021,
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import ClientUpdate, FederatedAlgorithm, HyperParams, WeightedMean

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient
    from medfl.federated.server import FederatedServer
    from medfl.federated.vector import FlatModel, Gradient


class FedDyn(FederatedAlgorithm):
    """Each client's objective gains −⟨g_i, y⟩ + α/2 ‖y − x‖², with g_i its gradient state.

    The state g_i ← g_i − α(y_i − x), so that local optima agree with a stationary point of the
    global objective. The participants' models are averaged with equal weights, as in the paper,
    and their statistics too.
    """

    statistics = "averaged with equal weights"

    class Params(HyperParams):
        """alpha: strength of the dynamic regulariser."""

        alpha: float = Field(0.01, gt=0)

    def setup(self, server: FederatedServer) -> None:
        """Start with h = 0."""
        self.state["h"] = server.vector.new_zeros(server.vector.shape)

    def correct_gradient(
        self, gradient: Gradient, model: FlatModel, client: FederatedClient
    ) -> None:
        """Add −g_i + α(y − x)."""
        gradient.add_(model.vector, alpha=self.params.alpha)
        gradient.add_(self.server.vector, alpha=-self.params.alpha)
        if "g" in client.state:
            gradient.add_(client.state["g"], alpha=-1.0)

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """g_i ← g_i − α(y_i − x)."""
        change = (self.server.vector - update.vector).mul_(self.params.alpha)
        state = client.state.get("g")
        client.state["g"] = change if state is None else state.add_(change)

    def aggregate(self, updates: Iterable[ClientUpdate]) -> None:
        """H ← h − (α/N) Σ (y_i − x);  x ← mean(y_i) − h/α."""
        total, buffers = WeightedMean(), WeightedMean()
        participants = 0
        for update in updates:
            total.add(update.vector, 1.0)
            buffers.add(update.buffers, 1.0)
            participants += 1
        alpha, clients = self.params.alpha, self.server.num_clients
        drift = total.value - self.server.vector * participants
        self.state["h"].sub_(drift, alpha=alpha / clients)
        self.server.vector.copy_(
            total.value.div_(participants).sub_(self.state["h"], alpha=1 / alpha)
        )
        self.server.buffers.copy_(buffers.value.div_(participants))
