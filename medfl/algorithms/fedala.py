"""FedALA. Zhang, Hua, Wang, Song, Xue, Ma and Guan, FedALA: Adaptive Local Aggregation for
Personalized Federated Learning, AAAI 2023, algorithm 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import share
from medfl.config import MOST_STEPS, Strength

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel, Gradient


class FedALA(FedAvg):
    """Each client begins a round from its last model and the server's, mixed entry by entry.

    In the top layers θ ← θ_i + (x − θ_i) ⊙ W_i, below them θ ← x. W_i begins at one and is learned
    on a share of the client's samples before it trains: W ← W − η_w ∇F_i(θ) ⊙ (x − θ_i), kept
    between 0 and 1. The first time it learns until its loss stands still, later one pass a round.
    Meanwhile the statistics of batch norm stay. On its own patients a client uses the mixture from
    which it would train next.
    """

    evaluated = "personal"
    keeps_state = True

    class Params(HyperParams):
        """layers: how many layers with parameters are mixed, counted from the top.

        share: of its training samples, those on which a client learns W_i, drawn in each round.
        weight_rate: η_w; at 0 W_i stays at one, as in FedAvg.
        window, threshold: it has learned the first time when the mean losses of so many last
            passes have a standard deviation below that.
        first_passes: the most passes of the first time.
        """

        layers: int = Field(1, ge=1)
        share: float = Field(0.8, gt=0, le=1)
        weight_rate: Strength = Field(1.0, ge=0)
        window: int = Field(10, ge=2)
        threshold: float = Field(0.1, ge=0)
        first_passes: int = Field(100, ge=1, le=MOST_STEPS)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """There is no last model in round 1 to mix with."""
        return math.inf

    @classmethod
    def takes_full_gradient(cls, params: Mapping[str, Any]) -> bool:
        """Whether W_i is learned, in passes whose number of batches tells of the samples."""
        return bool(cls.Params(**params).weight_rate)

    def objective(self) -> str:
        """What each client descends on, and what the server's model is."""
        begun = "from x and its own last model, mixed by learned weights"
        return f"F_i of each client, {begun}; x: Σ p_i y_i; p_i: {share(self.server)}"

    def extra_work(self) -> str:
        """Name the passes for W_i."""
        if not self.params.weight_rate:
            return ""
        part = f"{self.params.share:g} of its samples"
        return (
            f"a pass over {part} for the weights of its mixture, before the rest and before it is "
            f"used (up to {self.params.first_passes} the first time)"
        )

    def train(self, client: Client, model: FlatModel) -> Work:
        """Mix, then train from there."""
        learned = self._mix(client, model, "weights")
        work = super().train(client, model)
        client.keep(top=model.vector[self._top(model)])
        return replace(work, gradients=work.gradients + learned)

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the server's model, mixed anew with the client's own last one.

        What W_i learns here it does not keep, so evaluating changes no training.
        """
        client.receive(model)
        self._mix(client, model, "personal weights", keep=False)

    def _top(self, model: FlatModel) -> Tensor:
        """Where the parameters of the top layers lie, (d,)."""
        from medfl.models.parts import top_names

        mask: Tensor = model.mask(top_names(model.module, self.params.layers))[0]
        return mask.to(model.vector.device)

    def _mix(self, client: Client, model: FlatModel, purpose: str, keep: bool = True) -> int:
        """Put the mixture into ``model``, which holds x; give the batches that W_i learned from."""
        if "top" not in client.state:
            return 0
        mask, own = self._top(model), client.state["top"]
        shared = model.vector[mask]
        weights = client.state.get("weights")
        first = weights is None
        weights = shared.new_ones(shared.shape) if weights is None else weights.clone()
        model.put(mask, own.lerp(shared, weights))

        def learn(gradient: Gradient, model: FlatModel, client: Client) -> None:
            slope = gradient.flat()[mask] * (shared - own)
            weights.sub_(slope, alpha=self.params.weight_rate).clamp_(0.0, 1.0)
            model.put(mask, own.lerp(shared, weights))
            model.zero_grad()  # so that the optimiser moves nothing

        learned = self._passes(client, model, purpose, first, learn)
        if keep and learned:
            client.keep(weights=weights)
        return learned

    def _passes(
        self, client: Client, model: FlatModel, purpose: str, first: bool, learn: Any
    ) -> int:
        """Pass over a share of the samples, the first time until the loss stands still."""
        import torch

        from medfl.models.parts import frozen, top_names
        from medfl.streams import torch_stream

        params = self.params
        if not params.weight_rate:
            return 0
        key = (client.server.round, client.id, purpose)
        order = torch_stream(client.server.config.seed, *key)
        count = max(1, int(params.share * len(client.rows)))
        drawn = torch.randperm(len(client.rows), generator=order)[:count]
        rows = client.rows[drawn.to(client.rows.device)]
        buffers, losses, batches = model.buffers.clone(), [], 0
        below = dict(model.module.named_parameters()).keys() - top_names(
            model.module, params.layers
        )
        with frozen(model.module, below):
            for number in range(params.first_passes if first else 1):
                work = client.descend(
                    model,
                    f"{purpose} {number}",
                    correct_gradient=learn,
                    loss=self.loss,
                    epochs=1,
                    rows=rows,
                )
                losses.append(work.loss)
                batches += work.gradients
                if not math.isfinite(work.loss):  # as what it trains next will be
                    break
                last = losses[-params.window :]
                if len(losses) > params.window and statistics.pstdev(last) < params.threshold:
                    break
        model.load(model.vector, buffers)
        return batches
