"""SCAFFOLD. Karimireddy et al., Stochastic Controlled Averaging for Federated Learning, ICML
2020, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from medfl.algorithms.base import (
    ClientUpdate,
    FederatedAlgorithm,
    HyperParams,
    WeightedMean,
    effective_steps,
)
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.config import Training
    from medfl.federated.client import FederatedClient
    from medfl.federated.server import FederatedServer
    from medfl.federated.vector import FlatModel, Gradient


class Scaffold(FederatedAlgorithm):
    """Control variates c and c_i, which start at zero, correct the drift of local steps.

    Local steps then follow c, the gradient of the mean of the c_i. The paper's objective is the
    equal mean over clients, and so is its c; where averages are weighted by samples, c is the
    gradient of what they minimise only with ``control_weights: federation``.
    """

    class Params(HyperParams):
        """option: I or II of c_i⁺ (line 12). server_learning_rate: η_g.

        control_weights: of the c_i in c: ``equal`` as in the paper, or each client's weight in
        the whole federation.
        """

        option: Literal[1, 2] = 2
        control_weights: Literal["equal", "federation"] = "equal"
        server_learning_rate: float = Field(1.0, gt=0)

    def check(self, training: Training, model: FlatModel) -> None:
        """Option II recovers the mean gradient from the path of SGD alone."""
        if training.optimizer != "sgd" or training.clip_norm is not None:
            raise MedflError(
                "scaffold reads the mean gradient off the local steps, which needs SGD without "
                "clipping: set training.optimizer to sgd and leave clip_norm out for this arm."
            )

    def setup(self, server: FederatedServer) -> None:
        """Start with c = 0."""
        self.state["c"] = server.vector.new_zeros(server.vector.shape)

    def broadcast(self) -> dict[str, Tensor]:
        """Clients need c."""
        return {"c": self.state["c"]}

    def before_training(self, client: FederatedClient, model: FlatModel) -> None:
        """Take c − c_i, constant over a round; option I needs the gradient at the model sent."""
        own = client.state.get("c")
        self._correction = self.state["c"] if own is None else self.state["c"] - own
        if self.params.option == 1:
            self._gradient_at_x = client.full_gradient(model)

    def correct_gradient(
        self, gradient: Gradient, model: FlatModel, client: FederatedClient
    ) -> None:
        """Add c − c_i (line 10)."""
        gradient.add_(self._correction)

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """Renew c_i (line 12) and send its change Δc_i (line 13)."""
        old = client.state.get("c")
        if self.params.option == 1:
            new = self._gradient_at_x
        else:
            # With momentum a gradient acts ‖a‖₁/K times as far: divide by the true step sum.
            reach = client.learning_rate * effective_steps(update.steps, client.training.momentum)
            new = (self.server.vector - update.vector).div_(reach).sub_(self.state["c"])
            if old is not None:
                new.add_(old)
        update.extras["delta_c"] = new.clone() if old is None else new - old
        client.state["c"] = new

    def aggregate(self, updates: Iterable[ClientUpdate]) -> None:
        """X ← x + η_g Σ p_i (y_i − x);  c ← c + (1/N) Σ Δc_i over all N clients (line 17)."""
        sizes = self.server.sizes
        if self.params.control_weights == "equal":
            sizes = dict.fromkeys(sizes, 1)
        total = sum(sizes.values())
        vector, buffers, change = WeightedMean(), WeightedMean(), WeightedMean()
        for update in updates:
            vector.add(update.vector, update.weight)
            buffers.add(update.buffers, update.weight)
            change.add(update.extras["delta_c"], sizes[update.client] / total)
        self.server.move_to(vector.value, self.params.server_learning_rate)
        self.server.buffers.copy_(buffers.value)
        self.state["c"].add_(change.value)
