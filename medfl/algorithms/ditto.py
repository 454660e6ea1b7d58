"""Ditto. Li et al., Fair and Robust Federated Learning Through Personalization, ICML 2021,
algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work, add_proximal_term
from medfl.algorithms.own_model import OwnModel
from medfl.config import Strength

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel, Gradient


class Ditto(OwnModel):
    """FedAvg for the global model; beside it each client trains its own, drawn towards it.

    The personal objective is F_i(v) + λ/2 ‖v − x‖². It gets as many local steps as the global one,
    so each client computes twice the gradients of FedAvg.
    """

    unshared_descents = ("personal",)

    class Params(HyperParams):
        """lam: λ, how strongly the global model pulls."""

        lam: Strength = Field(0.1, ge=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The global model is trained before the client's own."""
        return math.inf

    def objective(self) -> str:
        """As FedAvg; beside it one objective for each client's own model."""
        return f"x: {super().objective()}; v_i: F_i(v) + {self.params.lam:g}/2 ‖v − x‖²"

    def extra_work(self) -> str:
        """Name the model that is not sent."""
        return "its own model as much"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Train the global model, then the personal one against the model that the server sent."""
        work = super().train(client, model)
        trained, buffers = model.vector.clone(), model.buffers.clone()
        if not self.load_own(client, model):
            model.load(client.start, client.start_buffers)

        def pull(gradient: Gradient, personal: FlatModel, client: Client) -> None:
            add_proximal_term(gradient, personal, client, self.params.lam)

        own = client.descend(model, "personal", correct_gradient=pull)
        self.keep_own(client, model)
        model.load(trained, buffers)
        return replace(work, gradients=work.gradients + own.gradients)
