"""FedDG-GA. Zhang, Xu, Yao, Wang, Zhang and Wang, Federated Domain Generalization with
Generalization Adjustment, CVPR 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import share_of_all
from medfl.chain.message import PARAMETERS, STATISTICS, Part
from medfl.errors import MedflError
from medfl.results.column import Column

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Message, Total
    from medfl.chain.roles import Client, Server
    from medfl.config import FederatedConfig
    from medfl.models.flat import FlatModel


class FedDGGA(FedAvg):
    """Averages with weights a_i that grow where the average fits a client worse than its own model.

    After round r client i's gap is G_i = F_i(x) − F_i(y_i), and its weight in round r + 1 is
    a_i ← a_i + d_r (G_i − µ) / max_j |G_j − µ|, with µ the mean gap and d_r = (1 − r/R) · d / N;
    then what is below 0 is 0, and all are divided by their sum. The a_i begin as the shares p_i.

    A client measures F_i(x) before its steps and F_i(y_i) after them, on its training samples: the
    paper's code has held-out ones, but medfl chooses and tunes on those. It remembers the latter
    and sends the gap when it next takes part, in the private part ``gap``: G_i, and 1 where it has
    one. The weights of those without a gap stay until all are divided by their sum.
    """

    keeps_state = True
    loss_passes = 2
    client_columns: ClassVar[tuple[Column, ...]] = (
        Column("aggregation_weight", "Weight a_i in the average"),
    )

    class Params(HyperParams):
        """step_size: d, how far a weight moves in the first rounds, in parts of the mean 1/N."""

        step_size: float = Field(0.2, ge=0)

    @classmethod
    def plain_steps(cls, params: Mapping[str, Any]) -> float:
        """The loss is measured beside the training."""
        return math.inf

    def check(self, config: FederatedConfig, model: FlatModel) -> None:
        """Refuse rules, which put something else in the place of a weighted mean."""
        if config.chain.rule != "sum":
            raise MedflError(
                f"feddgga weighs each client's model by its gap, and the rule {config.chain.rule} "
                "makes no mean with such weights: leave chain.rule at sum."
            )

    def setup(self, server: Server) -> None:
        """Start with the clients' shares."""
        import torch

        shares = [server.weights[client] / server.total_weight for client in server.data.clients]
        self.state["weights"] = self._next = torch.tensor(shares, dtype=torch.float64)

    def objective(self) -> str:
        """No fixed mean, because the weights follow the models."""
        if not self.params.step_size:
            return super().objective()
        first = f"from a_i = p_i; p_i: {share_of_all(self.server)}"
        return f"no fixed mean of F_i: the weights a_i follow the generalisation gaps, {first}"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Take local steps, and measure the loss before and after them."""
        at_x, batches = client.mean_loss(model)
        work = super().train(client, model)
        at_y, more = client.mean_loss(model)
        before = client.state.get("loss")
        gap = [0.0, 0.0] if before is None else [at_x - float(before), 1.0]
        work.extras["gap"] = model.vector.new_tensor(gap)
        client.keep(loss=model.vector.new_tensor([at_y]))
        return replace(work, forwards=work.forwards + batches + more)

    def message(self, client: Client, model: FlatModel, work: Work) -> dict[str, Part]:
        """Send the gap of the last round beside the trained model."""
        parts = super().message(client, model, work)
        return {**parts, "gap": Part(work.extras["gap"], client.weight)}

    def weigh(self, messages: list[Message]) -> list[Message]:
        """Move the weights by the gaps, and give each model the weight of its client."""
        clients = self.server.data.clients
        places = [clients.index(message.client) for message in messages]
        gaps = [message.parts["gap"].value for message in messages]
        self._next = self._moved(dict(zip(places, gaps, strict=True)))
        chosen = self._next[places]
        if not float(chosen.sum()):  # of some clients all may have none
            chosen = chosen + 1.0
        return [
            _weighed(message, weight)
            for message, weight in zip(messages, chosen.tolist(), strict=True)
        ]

    def _moved(self, sent: dict[int, Tensor]) -> Tensor:
        """The weights (N,) after gaps that came in, by the client's place."""
        weights, learning = self.state["weights"].clone(), self.server.config.federated_learning
        places = [place for place, gap in sent.items() if float(gap[1]) > 0.5]
        if not places:
            return weights
        gaps = weights.new_tensor([float(sent[place][0]) for place in places])
        apart = gaps - gaps.mean()
        furthest = float(apart.abs().max())
        left = 1 - (self.server.round - 1) / learning.rounds
        if furthest:
            step = left * self.params.step_size / len(weights)
            weights[places] += apart * (step / furthest)
        weights.clamp_(min=0)
        return weights / weights.sum()

    def step(self, total: dict[str, Total]) -> None:
        """x ← Σ a_i y_i / Σ a_i over the round's clients; keep the weights."""
        self.state["weights"] = self._next
        super().step(total)

    def client_row(self, client: int) -> dict[str, float]:
        """a_i."""
        place = self.server.data.clients.index(client)
        return {"aggregation_weight": float(self.state["weights"][place])}


def _weighed(message: Message, weight: float) -> Message:
    """The message whose model counts by ``weight``."""
    own = {name: replace(message.parts[name], weight=weight) for name in (PARAMETERS, STATISTICS)}
    return replace(message, parts={**message.parts, **own})
