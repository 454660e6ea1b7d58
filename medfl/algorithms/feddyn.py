"""FedDyn. Acar et al., Federated Learning Based on Dynamic Regularization, ICLR 2021,
algorithm 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import FederatedAlgorithm, HyperParams, Work, add_proximal_term
from medfl.chain.message import PARAMETERS

if TYPE_CHECKING:
    from medfl.chain import Message, Part, Total
    from medfl.chain.roles import Client, Server
    from medfl.models.flat import FlatModel, Gradient


class FedDyn(FederatedAlgorithm):
    """Adds −⟨g_i, y⟩ + α/2 ‖y − x‖² to each client's objective.

    Each client keeps its g_i, which begins at 0, and renews it after each of its rounds:
    g_i ← g_i − α(y_i − x). Thereby the clients' optima come to agree with a stationary point of
    the global objective. The participants' models and their statistics are averaged with equal
    weights, as in the paper.
    """

    statistics = "averaged with equal weights"

    class Params(HyperParams):
        """alpha: α, the strength of the dynamic regulariser."""

        alpha: float = Field(0.01, gt=0)

    def setup(self, server: Server) -> None:
        """Start with h = 0."""
        self.state["h"] = server.vector.new_zeros(server.vector.shape)

    def correct_gradient(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Add −g_i + α(y − x)."""
        add_proximal_term(gradient, model, client, self.params.alpha)
        if "g" in client.state:
            gradient.add_(client.spread(client.state["g"]), alpha=-1.0)

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Send the trained model; every client's has the same weight."""
        return client.model_parts(model, weight=1.0)

    def sent(self, client: Client, message: Message, work: Work) -> None:
        """g_i ← g_i − α(y_i − x)."""
        change = message.parts[PARAMETERS].update.mul_(-self.params.alpha)
        state = client.state.get("g")
        client.keep(g=change if state is None else state + change)

    def step(self, total: dict[str, Total]) -> None:
        """h ← h − (α/N) Σ (y_i − x);  x ← mean(y_i) − h/α."""
        alpha, models = self.params.alpha, total[PARAMETERS]
        self.state["h"].sub_(models.update, alpha=alpha / self.server.num_clients)
        self.server.vector.copy_(models.mean.sub_(self.state["h"], alpha=1 / alpha))
