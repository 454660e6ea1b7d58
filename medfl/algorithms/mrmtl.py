"""MR-MTL: mean-regularised multi-task learning. Liu, Hu, Wu and Smith, On Privacy and
Personalization in Cross-Silo Federated Learning, NeurIPS 2022, algorithm A1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work, add_proximal_term
from medfl.algorithms.objective import share
from medfl.algorithms.own_model import OwnModel
from medfl.config import Strength

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel, Gradient


class MRMTL(OwnModel):
    """Each client goes on with its own model w_i, drawn towards the mean x of all.

    Its objective is F_i(w) + λ/2 ‖w − x‖². The server's model is the mean of what clients send; no
    client ever begins from it but in its first round.
    """

    class Params(HyperParams):
        """lam: λ, how strongly the mean pulls; at 0 every client trains alone."""

        lam: Strength = Field(0.1, ge=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The first alone where something pulls, because it pulls towards where that began."""
        return 1 if cls.Params(**params).lam else math.inf

    def objective(self) -> str:
        """One objective for each client's model, and what the server's is."""
        pull, weights = self.params.lam, share(self.server)
        return f"w_i: F_i(w) + {pull:g}/2 ‖w − x‖²; x: Σ p_i w_i; p_i: {weights}"

    def correct_gradient(self, gradient: Gradient, model: FlatModel, client: Client) -> None:
        """Add λ(w − x)."""
        add_proximal_term(gradient, model, client, self.params.lam)

    def train(self, client: Client, model: FlatModel) -> Work:
        """Go on with the client's own model, which is also what it sends."""
        self.load_own(client, model)
        work = super().train(client, model)
        self.keep_own(client, model)
        return work
