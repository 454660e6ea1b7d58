"""Server optimisers. FedAvgM: Hsu et al., Measuring the Effects of Non-Identical Data
Distribution, 2019. FedAdagrad, FedAdam, FedYogi: Reddi et al., Adaptive Federated Optimization,
ICLR 2021, algorithm 2.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from medfl.algorithms.base import FederatedAlgorithm, HyperParams
from medfl.algorithms.objective import averaged
from medfl.chain.message import PARAMETERS
from medfl.config import Held, Strength

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain import Total
    from medfl.chain.roles import Server


class ServerOptimizer(FederatedAlgorithm):
    """Treats Δ = Σ p_i (y_i − x) as a gradient of the parameters.

    The batch-norm statistics are averaged: an optimiser could make running variances negative.
    """

    def setup(self, server: Server) -> None:
        """Start without momentum."""
        self.state["m"] = server.vector.new_zeros(server.vector.shape)

    def objective(self) -> str:
        """As FedAvg: the optimiser rests where Δ is zero, and there alone."""
        return averaged(self.server)

    def step(self, total: dict[str, Total]) -> None:
        """x ← x + the optimiser's step along Δ."""
        self.move(total[PARAMETERS].mean - self.server.vector)

    @abstractmethod
    def move(self, delta: Tensor) -> None:
        """Move the server's parameters by means of Δ, (d,)."""


class FedAvgM(ServerOptimizer):
    """Server momentum: m ← βm + Δ;  x ← x + η_g m."""

    class Params(HyperParams):
        """Server learning rate η_g and momentum β."""

        server_learning_rate: Strength = Field(1.0, gt=0)
        server_momentum: float = Field(0.9, ge=0, lt=1)

    def move(self, delta: Tensor) -> None:
        """Renew m, and take the step along it."""
        self.state["m"].mul_(self.params.server_momentum).add_(delta)
        self.server.vector.add_(self.state["m"], alpha=self.params.server_learning_rate)


class AdaptiveServer(ServerOptimizer):
    """m ← β₁m + (1 − β₁)Δ;  x ← x + η_g m/(√v + τ), without a correction of the bias.

    v begins at τ²; each subclass says how Δ² renews it.
    """

    class Params(HyperParams):
        """Server learning rate η_g, β₁, β₂ and the degree of adaptivity τ."""

        server_learning_rate: Strength = Field(0.03, gt=0)
        beta1: float = Field(0.9, ge=0, lt=1)
        beta2: float = Field(0.99, ge=0, lt=1)
        tau: Annotated[float, Held(2)] = Field(1e-3, gt=0)

    def setup(self, server: Server) -> None:
        """Start with m = 0 and v = τ²."""
        super().setup(server)
        self.state["v"] = server.vector.new_full(server.vector.shape, self.params.tau**2)

    def move(self, delta: Tensor) -> None:
        """Renew m and v, and take the step."""
        momentum, variance = self.state["m"], self.state["v"]
        momentum.mul_(self.params.beta1).add_(delta, alpha=1 - self.params.beta1)
        self.adapt(variance, delta.square())
        self.server.vector.addcdiv_(
            momentum, variance.sqrt().add_(self.params.tau), value=self.params.server_learning_rate
        )

    @abstractmethod
    def adapt(self, variance: Tensor, square: Tensor) -> None:
        """Renew v, (d,), in place, from Δ², (d,)."""


class FedAdagrad(AdaptiveServer):
    """v ← v + Δ². The paper runs it with β₁ = 0."""

    class Params(AdaptiveServer.Params):
        """As in every adaptive server, but without momentum by default."""

        beta1: float = Field(0.0, ge=0, lt=1)

    def adapt(self, variance: Tensor, square: Tensor) -> None:
        """Add the square."""
        variance.add_(square)


class FedAdam(AdaptiveServer):
    """v ← β₂v + (1 − β₂)Δ²."""

    def adapt(self, variance: Tensor, square: Tensor) -> None:
        """Take the exponential average of the squares."""
        variance.mul_(self.params.beta2).add_(square, alpha=1 - self.params.beta2)


class FedYogi(AdaptiveServer):
    """v ← v − (1 − β₂)Δ² sign(v − Δ²)."""

    def adapt(self, variance: Tensor, square: Tensor) -> None:
        """Move v towards Δ² by (1 − β₂)Δ², however far it is."""
        sign = (variance - square).sign_()
        variance.addcmul_(square, sign, value=-(1 - self.params.beta2))
