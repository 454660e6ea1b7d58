"""FedNova. Wang et al., Tackling the Objective Inconsistency Problem in Heterogeneous Federated
Optimization, NeurIPS 2020.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work, effective_steps
from medfl.algorithms.fedprox import FedProx
from medfl.algorithms.objective import drift, share
from medfl.chain.message import PARAMETERS, Part
from medfl.config import Strength
from medfl.errors import MedflError

if TYPE_CHECKING:
    from medfl.chain import Total
    from medfl.chain.roles import Client
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel


class FedNova(FedProx):
    """Averages the clients' normalised steps, so that more local steps do not weigh more.

    x ← x + τ_eff Σ p_i (y_i − x)/‖a_i‖₁ with τ_eff = Σ p_i ‖a_i‖₁ (eq. 6 and 7). A client with
    more steps moves further; FedAvg would let it pull the average towards its own optimum.

    The deltas' weights τ_eff p_i/‖a_i‖₁ add up to 1 where clients take equal steps and to more
    where they do not: the server then moves further than any average. With local momentum it
    moves further still, because ‖a_i‖₁ first grows with τ_i²: prefer plain SGD for unequal clients.
    """

    class Params(HyperParams):
        """mu: µ, the strength of a proximal term as in FedProx, which ‖a_i‖₁ takes into account."""

        mu: Strength = Field(0.0, ge=0)

    @classmethod
    def public_parts(cls, config: FederatedConfig, steps: int | None) -> dict[str, float]:
        """``a`` of the client with the most steps; without the proximal term where η changes.

        The term makes ``a`` smaller, the more the larger η is, and a round may have any η then.
        """
        if steps is None:
            return {"a": math.inf}
        training, mu = config.training, cls.Params(**config.federated_learning.algorithm_params).mu
        constant = training.lr_schedule == "constant" and not training.warmup_rounds
        shrink = training.learning_rate * mu if constant else 0.0
        return {"a": effective_steps(steps, training.momentum, shrink)}

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse all but SGD, with or without momentum: ‖a_i‖₁ is known for nothing else."""
        if config.training.optimizer != "sgd" or config.training.clip_norm is not None:
            raise MedflError(
                "fednova normalises by the steps of SGD: set training.optimizer to sgd and leave "
                "clip_norm out for this arm, or choose another algorithm."
            )

    def objective(self) -> str:
        """Σ p_i F_i, however many steps each client takes."""
        server = self.server
        return f"Σ p_i F_i{drift(server)}; p_i: {share(server, by_steps=True)}"

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Send the trained model with weight n_i/‖a_i‖₁, and ‖a_i‖₁ itself as the part ``a``.

        ``a`` is public: it follows from the number of steps alone.
        """
        shrink = client.learning_rate * self.params.mu
        norm = effective_steps(work.steps, client.training.momentum, shrink)
        parts = client.model_parts(model)
        parts[PARAMETERS] = replace(parts[PARAMETERS], weight=client.weight / norm)
        parts["a"] = Part(model.vector.new_tensor([norm]), client.weight, private=False)
        return parts

    def step(self, total: dict[str, Total]) -> None:
        """x ← x + τ_eff Σ p_i (y_i − x)/‖a_i‖₁."""
        normalised, norms = total[PARAMETERS].update, total["a"]
        self.server.vector.add_(normalised, alpha=float(norms.mean) / norms.weight)
