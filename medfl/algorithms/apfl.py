"""APFL. Deng, Kamani and Mahdavi, Adaptive Personalized Federated Learning, 2020, algorithm 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel, Gradient


class APFL(FedAvg):
    """FedAvg for w; beside it each client trains its v_i, and uses α_i v_i + (1 − α_i) w.

    Both move on the same batches: v_i along the gradient of the mixture's loss, which is α_i times
    that at the mixture. An adaptive α_i moves once a round, at its first batch, along its own
    gradient ⟨v_i − w, ∇F_i⟩, and stays between 0 and 1.
    """

    evaluated = "personal"
    statistics = "global model: averaged; mixtures: each client's own"
    unshared_descents = ("personal",)
    keeps_state = True

    class Params(HyperParams):
        """alpha: α, the share of a client's own model; where it is adaptive, the first one.

        adaptive: whether each client learns its α_i.
        """

        alpha: float = Field(0.5, ge=0, le=1)
        adaptive: bool = True

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """w moves as in FedAvg, beside v."""
        return math.inf

    def objective(self) -> str:
        """As FedAvg for w; one objective for each client's mixture."""
        share, own = (
            ("α_i", "v_i and α_i") if self.params.adaptive else (f"{self.params.alpha:g}", "v_i")
        )
        return f"x: {super().objective()}; {own}: F_i({share} v + (1 − {share}) w)"

    def extra_work(self) -> str:
        """Name the mixture's steps."""
        return "its own model as much, on the same batches"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take each step of w, and with its batch one of v_i."""
        own = _Own(self, client, model)
        work = client.descend(
            model,
            "train",
            correct_gradient=self.correct_gradient,
            loss=self.loss,
            beside=own.step,
        )
        own.keep()
        return replace(work, gradients=work.gradients + own.taken)

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the mixture with the server's model; before the first round that alone."""
        client.receive(model)
        if "v" in client.state:
            mixture = model.vector.lerp(client.state["v"], float(client.state["alpha"]))
            model.load(mixture, client.state["v_buffers"])


class _Own:
    """One client's v_i and α_i while it trains.

    Attributes:
        taken: the steps of v_i so far.
    """

    def __init__(self, algorithm: APFL, client: Client, model: FlatModel) -> None:
        state = client.state
        self._client, self._global = client, model
        self._v: Tensor = state.get("v", client.start)
        self._alpha = float(state["alpha"]) if "alpha" in state else algorithm.params.alpha
        self._adaptive = algorithm.params.adaptive
        self._model = model.twin("mixture", trained=True)
        self._model.buffers.copy_(state.get("v_buffers", client.start_buffers))
        self._step = client.stepping(self._model, "personal", correct_gradient=self._of_v)
        self.taken = 0

    def step(self, images: Tensor, labels: Tensor) -> None:
        """Move v_i by the gradient of the mixture's loss on a batch."""
        mixture = self._global.vector.lerp(self._v, self._alpha)
        self._model.load(mixture, self._model.buffers)
        self._step(images, labels)
        self._v = self._model.vector.clone()
        self.taken += 1

    def _of_v(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Make the gradient at the mixture that of v_i, which moves from where it is."""
        share = self._alpha
        if self._adaptive and not self.taken:
            slope = float(gradient.flat() @ (self._v - self._global.vector))
            self._alpha = min(1.0, max(0.0, share - client.learning_rate * slope))
        gradient.mul_(share)
        model.load(self._v, model.buffers)

    def keep(self) -> None:
        """Let the client have them in its next round."""
        alpha = self._v.new_tensor([self._alpha])
        self._client.keep(v=self._v.clone(), v_buffers=self._model.buffers.clone(), alpha=alpha)
