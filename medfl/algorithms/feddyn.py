"""FedDyn. Acar et al., Federated Learning Based on Dynamic Regularization, ICLR 2021,
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from medfl.algorithms.base import FederatedAlgorithm, HyperParams, Work, add_proximal_term
from medfl.algorithms.objective import share_of_all
from medfl.chain.message import PARAMETERS
from medfl.config import Held

if TYPE_CHECKING:
    from medfl.chain import Message, Total
    from medfl.chain.roles import Client, Server
    from medfl.models.flat import FlatModel, Gradient


class FedDyn(FederatedAlgorithm):
    """Adds −⟨g_i, y⟩ + α/2 ‖y − x‖² to each client's objective.

    Each client keeps its g_i, which begins at 0, and renews it after each of its rounds:
    g_i ← g_i − α(y_i − x). Thereby the clients' optima come to agree with a stationary point of
    the global objective. The server's h is the mean of all g_i, with the weights of the federation.
    The paper's are equal, because it minimises the equal mean over clients. With other weights its
    proof still holds, for h is then the gradient of the weighted mean.
    """

    keeps_state = True

    class Params(HyperParams):
        """alpha: α, the strength of the dynamic regulariser."""

        alpha: Annotated[float, Held(), Held(-1)] = Field(0.01, gt=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The first alone: it is pulled towards where that began."""
        return 1

    def objective(self) -> str:
        """The mean of which h is the gradient, at any and at unequal local steps."""
        training = self.server.config.training
        decays = training.optimizer == "adamw" and training.weight_decay
        pull = ", up to adamw's weight decay, which is no loss" if decays else ""
        return f"Σ p_i F_i{pull}; p_i: {share_of_all(self.server)}"

    def setup(self, server: Server) -> None:
        """Start with h = 0."""
        self.state["h"] = server.vector.new_zeros(server.vector.shape)

    def correct_gradient(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Add −g_i + α(y − x)."""
        add_proximal_term(gradient, model, client, self.params.alpha)
        if "g" in client.state:
            gradient.add_(client.spread(client.state["g"]), alpha=-1.0)

    def sent(self, client: Client, message: Message, work: Work) -> None:
        """g_i ← g_i − α(y_i − x)."""
        change = message.parts[PARAMETERS].update.mul_(-self.params.alpha)
        state = client.state.get("g")
        client.keep(g=change if state is None else state + change)

    def step(self, total: dict[str, Total]) -> None:
        """h ← h − α Σ p_i (y_i − x), p_i among all N clients;  x ← mean(y_i) − h/α."""
        alpha, models = self.params.alpha, total[PARAMETERS]
        self.state["h"].sub_(models.update, alpha=alpha / self.server.total_weight)
        self.server.vector.copy_(models.mean.sub_(self.state["h"], alpha=1 / alpha))
