"""SCAFFOLD. Karimireddy et al., Stochastic Controlled Averaging for Federated Learning, ICML
2020, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from medfl.algorithms.base import FederatedAlgorithm, HyperParams, Work, effective_steps
from medfl.algorithms.objective import share_of_all
from medfl.chain.message import PARAMETERS, Part
from medfl.config import Strength
from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Message, Total
    from medfl.chain.roles import Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel, Gradient


class Scaffold(FederatedAlgorithm):
    """Control variates c and c_i, which begin at zero, correct the drift of local steps.

    c_i estimates the gradient of client i, and c is the mean of all c_i: it is the gradient of what
    is minimised, whatever the weights of the models. So c has the weights of the federation. The
    paper's are equal, because it minimises the equal mean over clients.
    """

    keeps_state = True

    class Params(HyperParams):
        """option: by which of the paper's two options c_i is renewed (line 12).

        control_weights: how much each c_i counts in c: by its client's weight in the whole
        ``federation``, or ``equal``, 1/N, as in the paper. server_learning_rate: η_g.
        """

        option: Literal[1, 2] = 2
        control_weights: Literal["federation", "equal"] = "federation"
        server_learning_rate: Strength = Field(1.0, gt=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """c and c_i are 0 in round 1."""
        return math.inf

    @classmethod
    def takes_full_gradient(cls, params: Mapping[str, Any]) -> bool:
        """Option 1 takes the gradient at x."""
        return bool(cls.Params(**params).option == 1)

    def extra_work(self) -> str:
        """Name option 1's pass."""
        return "a gradient over its samples" if self.params.option == 1 else ""

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse all but unclipped SGD: option II reads the mean gradient off its path."""
        if config.training.optimizer != "sgd" or config.training.clip_norm is not None:
            raise MedflError(
                "scaffold reads the mean gradient off the local steps, which needs SGD without "
                "clipping: set training.optimizer to sgd and leave clip_norm out for this arm."
            )

    def objective(self) -> str:
        """The mean of which c is the gradient, at any and at unequal local steps."""
        uniform = self.server.config.federated_learning.weighting == "uniform"
        if self.params.control_weights == "federation" or uniform:
            return f"Σ p_i F_i; p_i: {share_of_all(self.server)}"
        return "1/N Σ F_i: c is the clients' equal mean, whatever `weighting` says"

    def setup(self, server: Server) -> None:
        """Start with c = 0."""
        self.state["c"] = server.vector.new_zeros(server.vector.shape)

    def broadcast(self) -> dict[str, Tensor]:
        """Send c, which corrects every client's steps."""
        return {"c": self.state["c"]}

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take local steps along the gradient plus c − c_i (line 10)."""
        c, own = client.received["c"], client.state.get("c")
        correction = client.spread(c if own is None else c - own)

        def add(gradient: Gradient, *_: object) -> None:
            gradient.add_(correction)

        if self.params.option == 2:
            return client.descend(model, "train", correct_gradient=add, loss=self.loss)
        gradient_at_x, batches = client.full_gradient(model, loss=self.loss)
        work = client.descend(model, "train", correct_gradient=add, loss=self.loss)
        work.extras["gradient_at_x"] = gradient_at_x
        return replace(work, gradients=work.gradients + batches)

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Renew c_i (line 12) and send its change Δc_i (line 13) beside the model."""
        old, parts = client.state.get("c"), client.model_parts(model)
        if self.params.option == 1:
            new = work.extras["gradient_at_x"]
        else:
            # With momentum a gradient moves the model η‖a_i‖₁ far in all, and not η τ_i.
            reach = client.learning_rate * effective_steps(work.steps, client.training.momentum)
            new = (-parts[PARAMETERS].update).div_(reach).sub_(client.received["c"])
            if old is not None:
                new.add_(old)
        delta = work.extras["delta_c"] = new.clone() if old is None else new - old
        client.keep(c=new)
        weight = 1.0 if self.params.control_weights == "equal" else client.weight
        parts["delta_c"] = Part(delta, weight)
        return parts

    def sent(self, client: Client, message: Message, work: Work) -> None:
        """Where links changed Δc_i, move c_i by what the server heard: c stays the mean of all."""
        heard, meant = message.parts["delta_c"].value, work.extras["delta_c"]
        if heard is not meant:
            old = client.state.get("c")
            client.keep(c=heard if old is None else old + heard)

    def step(self, total: dict[str, Total]) -> None:
        """x ← x + η_g Σ p_i (y_i − x);  c ← c + (1/N) Σ Δc_i over all N clients (line 17)."""
        equal = self.params.control_weights == "equal"
        everyone = self.server.num_clients if equal else self.server.total_weight
        self.server.move_to(total[PARAMETERS].mean, self.params.server_learning_rate)
        self.state["c"].add_(total["delta_c"].sum, alpha=1 / everyone)
