"""What links and algorithms may ask of a client, of the server and of each other.

The engine's own classes (``medfl/federated``) stand above the rooms that speak of them here, so
those rooms know them by these protocols alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from medfl.chain.chain import Chain
    from medfl.chain.message import Drawn, Message, Part, Work
    from medfl.config import FederatedConfig, Training
    from medfl.models.flat import FlatModel, Gradient
    from medfl.store import DatasetInfo

Correction = Callable[["Gradient", "FlatModel", "Client"], None]
"""What an algorithm adds to a step's gradient, in place."""
Loss = Callable[["FlatModel", "Tensor", "Tensor", "Client"], Any]
"""The loss of a batch of images and labels: a scalar to be minimised."""
Beside = Callable[["Tensor", "Tensor"], None]
"""What else is done with a batch's images and labels."""


class Algorithm(Protocol):
    """What a link or a rule may know of the algorithm that it goes with: its class says it."""

    communicates: ClassVar[bool]
    unshared_descents: ClassVar[tuple[str, ...]]
    keeps_state: ClassVar[bool]
    loss_passes: ClassVar[int]
    counts_labels: ClassVar[bool]
    sees_messages: ClassVar[bool]

    @classmethod
    def takes_full_gradient(cls, params: Mapping[str, Any]) -> bool:
        """Whether clients take a gradient of all their samples beside their steps."""

    @classmethod
    def keeps_batch_norm_alone(cls, params: Mapping[str, Any]) -> bool:
        """Whether batch norm is all that stays local, so that nothing does without it."""

    @classmethod
    def public_parts(cls, config: FederatedConfig, steps: int | None) -> dict[str, float]:
        """The public parts of its messages by name, and how large an entry of them may get."""

    def local_names(self, model: FlatModel) -> set[str]:
        """Names of the parameters and buffers that never leave their client."""


class HeldData(Protocol):
    """Who holds which samples, as links see it (``medfl.federated.FederatedData``)."""

    clients: list[int]
    images: Any
    groups: np.ndarray
    info: DatasetInfo

    @property
    def root(self) -> Tensor:
        """Store rows of the server's own samples, ascending."""

    def indices(self, client: int, fold: str) -> Tensor:
        """Store rows of one client's fold, ascending."""

    def group_numbers(self, rows: Tensor) -> Tensor:
        """The groups of these store rows as whole numbers from 0 up, (n,)."""


class Server(Protocol):
    """The server, as algorithms and links see it (``medfl.federated.FederatedServer``)."""

    round: int
    vector: Tensor
    buffers: Tensor
    patch: tuple[int, ...] | None

    @property
    def config(self) -> FederatedConfig:
        """The configuration of the run."""

    @property
    def data(self) -> HeldData:
        """Who holds which samples."""

    @property
    def model(self) -> FlatModel:
        """A network to train in."""

    @property
    def algorithm(self) -> Algorithm:
        """The federated algorithm."""

    @property
    def chain(self) -> Chain:
        """What lies between the clients and its step."""

    @property
    def complete(self) -> bool:
        """Whether the server has a whole model: no entry of it stays with the clients."""

    @property
    def num_clients(self) -> int:
        """N, all clients of the federation."""

    @property
    def weights(self) -> dict[int, float]:
        """Client → its weight in averages, not normalised."""

    @property
    def total_weight(self) -> float:
        """The sum of all N clients' weights."""

    @property
    def local_steps(self) -> dict[int, int]:
        """Client → the local steps that the configuration gives it in a round."""

    def root_message(self) -> Message:
        """What the server would send in this round, trained on samples of its own."""

    def participants(self, round_number: int) -> list[int]:
        """Positions of the round's clients among all, ascending."""

    def download(self) -> dict[str, Part]:
        """What the server sends to each client."""

    def move_to(self, mean: Tensor, rate: float) -> None:
        """x ← x + rate · (mean − x)."""


class Client(Protocol):
    """A client, as algorithms and links see it (``medfl.federated.FederatedClient``)."""

    id: int
    rows: Tensor
    groups: Tensor
    received: dict[str, Tensor]
    drawn: Drawn
    start: Tensor
    start_buffers: Tensor
    criterion: Callable[..., Any]

    @property
    def server(self) -> Server:
        """The server of its federation."""

    @property
    def state(self) -> Mapping[str, Tensor]:
        """What it keeps from round to round, in memory or on the disk; ``keep`` writes it."""

    @property
    def training(self) -> Training:
        """The local optimiser's settings."""

    @property
    def weight(self) -> float:
        """Its weight in averages, not normalised: n_i, or 1 under equal weights."""

    @property
    def learning_rate(self) -> float:
        """η of the round."""

    def receive(self, model: FlatModel) -> None:
        """Load what the server sends into ``model``, and over it what stays with this client."""

    def keep(self, **tensors: Tensor) -> None:
        """Put tensors into ``state`` once the server has heard of this round's message."""

    def model_parts(self, model: FlatModel, weight: float | None = None) -> dict[str, Part]:
        """The shared entries of ``model`` as parts of a message."""

    def spread(self, shared: Tensor) -> Tensor:
        """Shared entries in their places among all, (d,)."""

    def descend(
        self,
        model: FlatModel,
        purpose: str,
        *,
        correct_gradient: Correction | None = None,
        loss: Loss | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        rows: Tensor | None = None,
        beside: Beside | None = None,
    ) -> Work:
        """Optimise ``model`` on the training data, in place."""

    def stepping(
        self,
        model: FlatModel,
        purpose: str,
        *,
        correct_gradient: Correction | None = None,
        loss: Loss | None = None,
    ) -> Beside:
        """What takes a step of a ``model`` that is never sent, on another descent's batch."""

    def full_gradient(self, model: FlatModel, loss: Loss | None = None) -> tuple[Tensor, int]:
        """∇F_i at ``model``, and the number of batches that it took."""

    def label_counts(self) -> Tensor:
        """How many of its training samples have each label, (K,)."""

    def mean_loss(self, model: FlatModel) -> tuple[float, int]:
        """F_i of ``model`` as it is judged, and the number of batches that it took."""
