"""FedLWS. Shi, Li, Zhao, Guo and Chang, FedLWS: Federated Learning with Adaptive Layer-wise Weight
Shrinking, ICLR 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from medfl.algorithms.base import HyperParams
from medfl.algorithms.fedavg import FedAvg
from medfl.chain.message import PARAMETERS
from medfl.results.column import Column

if TYPE_CHECKING:
    from medfl.chain import Message, Total
    from medfl.chain.roles import Server


class FedLWS(FedAvg):
    """Shrinks each layer of the average, the more the clients' updates of that layer disagree.

    x_l ← γ_l Σ p_i y_{i,l} with γ_l = ‖x_l‖ / (‖x_l‖ + τ_l ‖Δ_l‖) and Δ_l = Σ p_i Δ_{i,l}. τ_l is β
    times the mean over clients of ‖Δ_{i,l} − their equal mean‖, held between two bounds as in the
    authors' code. A layer is what one module holds: its weights with its bias. Batch-norm
    statistics are averaged as they are; that code shrinks them, too.
    """

    columns: ClassVar[tuple[Column, ...]] = (
        Column("shrinking", "Smallest shrinking factor γ of a layer"),
    )

    class Params(HyperParams):
        """beta: β. min_tau, max_tau: the bounds of τ_l; with all at 0 this is FedAvg."""

        beta: float = Field(0.03, ge=0)
        min_tau: float = Field(0.01, ge=0)
        max_tau: float = Field(0.2, ge=0)

        @model_validator(mode="after")
        def _has_bounds_in_order(self) -> FedLWS.Params:
            if self.min_tau > self.max_tau:
                raise ValueError(f"min_tau is {self.min_tau:g}, above max_tau, {self.max_tau:g}")
            return self

    def setup(self, server: Server) -> None:
        """Find where each layer lies among the parameters; nothing is shrunk yet."""
        sizes: dict[str, int] = {}
        for name, parameter in server.model.module.named_parameters():
            module = name.rpartition(".")[0]
            sizes[module] = sizes.get(module, 0) + parameter.numel()
        self._sizes, self._taus = list(sizes.values()), [self.params.min_tau] * len(sizes)
        self.state["shrinking"] = server.vector.new_ones(1).double().cpu()

    def objective(self) -> str:
        """As FedAvg, pulled towards zero in every layer."""
        if not self.params.max_tau:
            return super().objective()
        return f"{super().objective()}; every round each layer is shrunk towards 0"

    def weigh(self, messages: list[Message]) -> list[Message]:
        """Measure how much the updates of each layer disagree."""
        import torch

        updates = [message.parts[PARAMETERS].update.split(self._sizes) for message in messages]
        self._taus = []
        for layer in zip(*updates, strict=True):
            rows = torch.stack(layer).double()
            apart = torch.linalg.vector_norm(rows - rows.mean(dim=0), dim=1).mean()
            tau = self.params.beta * float(apart)
            self._taus.append(min(max(tau, self.params.min_tau), self.params.max_tau))
        return messages

    def step(self, total: dict[str, Total]) -> None:
        """x_l ← γ_l Σ p_i y_{i,l}."""
        import torch

        before = [torch.linalg.vector_norm(one) for one in self.server.vector.split(self._sizes)]
        mean, least = total[PARAMETERS].mean, 1.0
        moved = (mean - self.server.vector).split(self._sizes)
        super().step(total)
        layers = self.server.vector.split(self._sizes)
        for layer, length, change, tau in zip(layers, before, moved, self._taus, strict=True):
            pull = tau * float(torch.linalg.vector_norm(change))
            # A layer of zeros, such as a bias alone, has nothing to be shrunk to.
            factor = float(length) / (float(length) + pull) if float(length) else 1.0
            layer.mul_(factor)
            least = min(least, factor)
        self.state["shrinking"].fill_(least)

    def row(self) -> dict[str, float]:
        """The smallest γ_l."""
        return {"shrinking": float(self.state["shrinking"])}
