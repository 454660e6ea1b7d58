"""What every federated algorithm is: a few hooks, named as in the papers.

The engine trains, counts, checkpoints and evaluates; an algorithm says only in what it differs
from federated averaging.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from medfl.registry import HyperParams

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.config import Training
    from medfl.federated.client import FederatedClient
    from medfl.federated.server import FederatedServer
    from medfl.federated.vector import FlatModel, Gradient


@dataclass
class ClientUpdate:
    """What one client returns after its local training.

    Attributes:
        client: the client's id.
        vector: its model's parameters y_i, (d,).
        buffers: its batch-norm statistics, (b,).
        weight: p_i, its share in averages; the weights of a round sum to 1.
        steps: optimiser steps really taken, τ_i.
        extras: whatever else the algorithm sends up; counted as communication.
    """

    client: int
    vector: Tensor
    buffers: Tensor
    weight: float
    steps: int
    extras: dict[str, Tensor] = field(default_factory=dict)


class WeightedMean:
    """Σ p_i · v_i of a stream of vectors, in the memory of one of them."""

    def __init__(self) -> None:
        self.value: Any = None

    def add(self, vector: Tensor, weight: float) -> None:
        """Add one vector with its weight."""
        if self.value is None:
            self.value = vector.new_zeros(vector.shape)
        self.value.add_(vector, alpha=weight)


class FederatedAlgorithm:
    """Federated averaging (McMahan et al., AISTATS 2017, algorithm 1), hook by hook.

    Class attributes:
        Params: the hyper-parameters, a frozen pydantic model.
        evaluated: which model the results speak of: the server's (``global``), each client's own
            on its own data (``personal``), or each client's own on everyone's data (``local``).
        statistics: what happens to batch-norm statistics, in words, for the record.
        participation: ``sampled``, or ``all`` where every client trains every round.
        pooled: the clients' data is put together first (the centralised baseline).
        communicates: whether anything travels.
    """

    class Params(HyperParams):
        """No hyper-parameters."""

    evaluated: ClassVar[Literal["global", "personal", "local"]] = "global"
    statistics: ClassVar[str] = "averaged with the parameters' weights"
    participation: ClassVar[Literal["sampled", "all"]] = "sampled"
    pooled: ClassVar[bool] = False
    communicates: ClassVar[bool] = True

    def __init__(self, **params: Any) -> None:
        self.params: Any = self.Params(**params)
        self.server: FederatedServer
        self.state: dict[str, Tensor] = {}

    def check(self, training: Training, model: FlatModel) -> None:
        """Refuse settings under which the algorithm is not what it says (``MedflError``)."""

    def setup(self, server: FederatedServer) -> None:
        """Create the server's state, in ``self.state``, before the first round."""

    def local_names(self, model: FlatModel) -> set[str]:
        """Parameters and buffers that never leave their client, by name. None by default."""
        return set()

    def broadcast(self) -> dict[str, Tensor]:
        """What the server sends besides its model; counted as communication."""
        return {}

    def before_training(self, client: FederatedClient, model: FlatModel) -> None:
        """Just before a client's local steps, ``model`` holding what the server sent."""

    def loss(
        self, model: FlatModel, images: Tensor, labels: Tensor, client: FederatedClient
    ) -> Any:
        """The loss of a batch: a scalar to be minimised.

        ``labels`` are (B,) class indices, or (B, K) for multi-label data and for soft labels.
        """
        return client.criterion(model.module(images), labels)

    def correct_gradient(
        self, gradient: Gradient, model: FlatModel, client: FederatedClient
    ) -> None:
        """Add this algorithm's correction to a step's gradient, (d,), in place."""

    def client_update(
        self, client: FederatedClient, model: FlatModel, update: ClientUpdate
    ) -> None:
        """After a client's local training: add extras, and keep client state."""

    def aggregate(self, updates: Iterable[ClientUpdate]) -> None:
        """What the server makes of a round: x ← Σ p_i y_i.

        ``updates`` is a stream in the order of the clients' ids; a vector in it is overwritten
        when the next one is drawn.
        """
        vector, buffers = self.average(updates)
        self.server.vector.copy_(vector)
        self.server.buffers.copy_(buffers)

    @staticmethod
    def average(updates: Iterable[ClientUpdate]) -> tuple[Tensor, Tensor]:
        """Σ p_i y_i of the parameters, (d,), and of the statistics, (b,)."""
        vector, buffers = WeightedMean(), WeightedMean()
        for update in updates:
            vector.add(update.vector, update.weight)
            buffers.add(update.buffers, update.weight)
        return vector.value, buffers.value

    def personal_model(self, client: FederatedClient, model: FlatModel) -> None:
        """Load into ``model`` what this client would use on its own patients.

        By default the server's model, with the entries that stay local as the client has them.
        """
        client.receive(model)


def effective_steps(steps: int, momentum: float = 0.0, shrink: float = 0.0) -> float:
    """‖a‖₁: how many times η a constant gradient moves the model in ``steps`` local steps.

    Wang et al., NeurIPS 2020, section 3: plain SGD gives τ; momentum ρ the summed recursion
    a ← ρa + 1; a proximal term the recursion a ← a(1 − ηµ) + 1, with ``shrink`` = ηµ. The
    recursion below is all three at once: m ← ρm + 1 − ηµ·u, u ← u + m.
    """
    moved = velocity = 0.0
    for _ in range(steps):
        velocity = momentum * velocity + 1.0 - shrink * moved
        moved += velocity
    return moved
