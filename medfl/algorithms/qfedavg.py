"""q-FedAvg. Li, Sanjabi, Beirami and Smith, Fair Resource Allocation in Federated Learning, ICLR
2020, algorithm 2.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import averaged
from medfl.chain.message import PARAMETERS, Part
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.chain import Total
    from medfl.chain.roles import Client
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel

log = logging.getLogger(__name__)
MOST_Q = 1000  # beyond, a loss to its power is nothing or no number, unless it is 1
_LEAST_LOSS = 1e-10  # F^(q − 1) is infinite at 0 where q < 1; the authors' code adds as much


class QFedAvg(FedAvg):
    """Minimises Σ p_i F_i^{q+1} / (q + 1), so that clients with a large loss count more.

    With Δ_i = y_i − x, F_i at x, and L = 1/η for the Lipschitz constant of ∇F_i:
    x ← x + Σ p_i F_i^q Δ_i / Σ p_i h_i, h_i = F_i^q + q F_i^{q − 1} L ‖Δ_i‖². The paper's Δ and h
    are L times as large, which cancels; its p_i are chances of being drawn. With q = 0 every h_i is
    1 and this is FedAvg with the same p_i.

    F_i^q Δ_i and h_i travel, both private: F_i itself follows from them. It is measured in a pass
    over the client's training samples before its first step.
    """

    loss_passes = 1

    class Params(HyperParams):
        """q: how much more clients with a large loss count; 0 is FedAvg."""

        q: float = Field(1.0, ge=0, le=MOST_Q)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The update is sent times a number."""
        return math.inf

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse all but SGD: for nothing else does 1/η stand for the Lipschitz constant."""
        if config.training.optimizer != "sgd":
            raise MedflError(
                "qfedavg takes 1/η for the Lipschitz constant of the gradients, which holds for "
                "SGD: set training.optimizer to sgd for this arm."
            )

    def objective(self) -> str:
        """A mean of powers of the clients' losses."""
        q = self.params.q
        return averaged(self.server, f"F_i^{1 + q:g}/{1 + q:g}" if q else "F_i")

    def train(self, client: Client, model: FlatModel) -> Work:
        """Measure F_i at x, then take local steps."""
        loss, batches = client.mean_loss(model)
        work = super().train(client, model)
        work.extras["loss_at_x"] = model.vector.new_tensor([loss])
        return replace(work, forwards=work.forwards + batches)

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Send F_i^q Δ_i in the place of Δ_i, and h_i."""
        parts, q = super().message(client, model, work), self.params.q
        loss, update = float(work.extras["loss_at_x"]) + _LEAST_LOSS, parts[PARAMETERS].update
        # Where a schedule has brought η to nothing, nothing has moved.
        length = float(update.square().sum())
        steepness = length / client.learning_rate if length else 0.0
        factor = _power(loss, q)
        h = factor + q * _power(loss, q - 1) * steepness
        parts[PARAMETERS] = parts[PARAMETERS].with_update(update * factor)
        # Measured from 1, so that with q = 0 links find nothing to act on.
        one = update.new_ones(1)
        return {**parts, "h": Part(one * h, client.weight, one)}

    def step(self, total: dict[str, Total]) -> None:
        """x ← x + Σ p_i F_i^q Δ_i / Σ p_i h_i."""
        server, h = self.server, float(total["h"].mean)
        if h <= 0:  # honest ones are not: noise or an attack has made it so
            log.warning("round %d: the sum of h is not positive, so x stays", server.round)
            return
        server.move_to(total[PARAMETERS].mean, 1 / h)


def _power(loss: float, exponent: float) -> float:
    """F^exponent; infinite beyond double precision, so that such an update is refused as one."""
    try:
        return math.pow(loss, exponent)
    except OverflowError:
        return math.inf
