"""FedNova. Wang et al., Tackling the Objective Inconsistency Problem in Heterogeneous Federated
Optimization, NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import ClientUpdate, HyperParams, WeightedMean, effective_steps
from medfl.algorithms.fedprox import FedProx
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.config import Training
    from medfl.federated.client import FederatedClient
    from medfl.federated.vector import FlatModel


class FedNova(FedProx):
    """Averages the clients' normalised steps, so that more local steps do not weigh more.

    x ← x + τ_eff Σ p_i (y_i − x)/‖a_i‖₁ with τ_eff = Σ p_i ‖a_i‖₁ (eq. 6 and 7). A client with
    more steps moves further; FedAvg would let it pull the average towards its own optimum.

    The deltas' weights τ_eff p_i/‖a_i‖₁ add up to 1 where clients take equal steps and to more
    where they do not: the server then moves further than any average. Local momentum makes it
    more still, since ‖a_i‖₁ first grows with τ_i²: prefer plain SGD for unequal clients.
    """

    class Params(HyperParams):
        """mu: of an optional proximal term, which the normalisation takes into account."""

        mu: float = Field(0.0, ge=0)

    def check(self, training: Training, model: FlatModel) -> None:
        """The normaliser is known for SGD, with and without momentum."""
        if training.optimizer != "sgd" or training.clip_norm is not None:
            raise MedflError(
                "fednova normalises by the steps of SGD: set training.optimizer to sgd and leave "
                "clip_norm out for this arm, or choose another algorithm."
            )

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """Send ‖a_i‖₁ along."""
        shrink = client.learning_rate * self.params.mu
        norm = effective_steps(update.steps, client.training.momentum, shrink)
        update.extras["a"] = model.vector.new_tensor([norm])

    def aggregate(self, updates: Iterable[ClientUpdate]) -> None:
        """Apply the normalised average of the deltas; statistics are averaged."""
        # Σ p_i (y_i − x)/a_i = Σ (p_i/a_i) y_i − (Σ p_i/a_i) x, so that one pass is enough.
        scaled, buffers = WeightedMean(), WeightedMean()
        total = tau_eff = 0.0
        for update in updates:
            norm = float(update.extras["a"])
            scaled.add(update.vector, update.weight / norm)
            buffers.add(update.buffers, update.weight)
            total += update.weight / norm
            tau_eff += update.weight * norm
        direction = scaled.value.sub_(self.server.vector, alpha=total)
        self.server.vector.add_(direction, alpha=tau_eff)
        self.server.buffers.copy_(buffers.value)
