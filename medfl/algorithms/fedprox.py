"""FedProx. Li et al., Federated Optimization in Heterogeneous Networks, MLSys 2020."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, add_proximal_term
from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import averaged
from medfl.config import Strength

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel, Gradient


class FedProx(FedAvg):
    """Adds µ/2 ‖y − x‖² to every local objective, against client drift (eq. 2)."""

    class Params(HyperParams):
        """mu: µ, the strength of the proximal term."""

        mu: Strength = Field(0.01, ge=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The first alone where something pulls, because it pulls towards where that began."""
        return 1 if cls.Params(**params).mu else math.inf

    def objective(self) -> str:
        """As FedAvg; but the more steps a client takes, the less far a further one reaches."""
        return averaged(self.server, proximal=self.params.mu > 0)

    def correct_gradient(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Add µ(y − x)."""
        add_proximal_term(gradient, model, client, self.params.mu)
