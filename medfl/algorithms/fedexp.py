"""FedExP. Jhunjhunwala, Wang and Joshi, FedExP: Speeding Up Federated Averaging via Extrapolation,
ICLR 2023, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg
from medfl.chain.message import PARAMETERS, Part
from medfl.errors import MedflError
from medfl.results.column import Column

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Total
    from medfl.chain.roles import Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel

_BOUNDING = ("clip", "dp_hospital")


class FedExP(FedAvg):
    """Goes on beyond the average, the further the more the clients' updates Δ_i disagree.

    x ← x + η_g Δ̄ with Δ̄ = Σ p_i Δ_i and η_g = max(1, Σ p_i ‖Δ_i‖² / (2(‖Δ̄‖² + ε))) (eq. 7; the
    paper's p_i are equal, those of its code are by samples). The iterates swing around what they
    approach, so the mean of the last two is judged, as in the paper; training goes on from x.

    A client sends ‖Δ_i‖² itself, as the private part ``squared_norm``, so that sums which hide
    single messages have it too.
    """

    columns: ClassVar[tuple[Column, ...]] = (Column("server_step", "Server step size η_g"),)

    class Params(HyperParams):
        """epsilon: ε, which bounds η_g where the updates cancel.

        average_iterates: whether the mean of the last two x is judged, or the last alone.
        """

        epsilon: float = Field(1e-3, gt=0)
        average_iterates: bool = True

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The norm is sent beside the model."""
        return math.inf

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse links that scale updates: ‖Δ_i‖² would not follow, and joins what they bound."""
        for link in _BOUNDING:
            params = config.chain.links.get(link)
            if params is not None and params.get("norm", 1.0) is not None:  # None: it is off
                raise MedflError(
                    f"fedexp takes its step from the lengths of the updates, which {link} changes: "
                    "leave one of the two out."
                )

    def setup(self, server: Server) -> None:
        """There is one x yet, and no step."""
        self.state["last"] = server.vector.clone()
        self.state["server_step"] = server.vector.new_ones(1).double().cpu()

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Send ‖Δ_i‖² beside the trained model."""
        parts = super().message(client, model, work)
        squared = parts[PARAMETERS].update.square().sum().reshape(1)
        return {**parts, "squared_norm": Part(squared, client.weight)}

    def step(self, total: dict[str, Total]) -> None:
        """x ← x + η_g Δ̄."""
        server, mean = self.server, total[PARAMETERS].mean
        before = server.vector.clone()
        length = float((mean - before).square().sum()) + self.params.epsilon
        rate = max(1.0, float(total["squared_norm"].mean) / (2 * length))
        server.move_to(mean, rate)
        self.state["server_step"].fill_(rate)
        # The x before round 1 is random, and no iterate.
        self.state["last"] = server.vector.clone() if server.round == 1 else before

    def row(self) -> dict[str, float]:
        """η_g."""
        return {"server_step": float(self.state["server_step"])}

    def judged(self) -> Tensor:
        """The mean of the last two iterates; after round 1 there is one."""
        x = self.server.vector
        return x.lerp(self.state["last"], 0.5) if self.params.average_iterates else x
