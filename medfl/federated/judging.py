"""Predicting with the models that are judged, as tasks for workers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from medfl.federated.client import FederatedClient
from medfl.federated.client_state import ClientState
from medfl.federated.client_training import PASSING, fixed_of, own_state, put_own_state
from medfl.federated.data import FederatedData
from medfl.federated.own_algorithm import hooks_of
from medfl.federated.prediction import logits, predict
from medfl.federated.refused import DivergedError
from medfl.federated.server import FederatedServer
from medfl.federated.workers import WorkerTask
from medfl.federated.workers.task import TaskItem, TaskResult
from medfl.models.flat import FlatModel


class _OfServer(WorkerTask[TaskItem, TaskResult]):
    """Needs what the server has after the round."""

    def __init__(self, server: FederatedServer, data: FederatedData) -> None:
        self._server, self._data = server, data

    def brief(self) -> Any:
        """The server's model, and what the algorithm keeps there."""
        server = self._server
        return server.round, server.vector, server.buffers, server.algorithm.state

    def take_up(self, brief: Any) -> None:
        """In a worker: have it."""
        server = self._server
        # Not copied: all workers read the same memory.
        server.round, server.vector, server.buffers, server.algorithm.state = brief

    @abstractmethod
    def do(self, item: TaskItem, model: FlatModel) -> TaskResult:
        """Predict."""


class ServersModel(_OfServer[list[Tensor], Tensor]):
    """Gives the logits (n, K) of the server's model for batches of store rows.

    Attributes:
        loaded: whether the network of this process holds that model.
    """

    loaded = False

    def do(self, item: list[Tensor], model: FlatModel) -> Tensor:
        """Compute them."""
        if not self.loaded:
            self._server.load_judged(model)
            self.loaded = True
        return logits(model, self._data, item, self._server)

    def words(self, item: list[Tensor]) -> str:
        """The samples."""
        return f"the evaluation of {sum(map(len, item))} samples"

    def take_up(self, brief: Any) -> None:
        """In a worker: have another model."""
        super().take_up(brief)
        self.loaded = False


class ClientsModel(_OfServer[int, tuple[Tensor, Tensor | None]]):
    """Gives the probabilities (n, K) of the model that the client of an id uses itself.

    They are those of its own judged samples, and of others where that is asked for.

    Args:
        server: the server.
        data: the samples.
        clients: the clients.
        own: client → the store rows that it is judged on.

    Attributes:
        beside: the store rows that each is asked for besides, such as all test samples; None for
            none.
    """

    beside: Tensor | None = None

    def __init__(
        self,
        server: FederatedServer,
        data: FederatedData,
        clients: Sequence[FederatedClient],
        own: Mapping[int, Tensor],
    ) -> None:
        super().__init__(server, data)
        self._clients = {client.id: client for client in clients}
        self._own = own

    def do(self, item: int, model: FlatModel) -> tuple[Tensor, Tensor | None]:
        """Compute them."""
        client = self._clients[item]
        hooks_of(self._server.algorithm).personal_model(client, model)
        client.state.release()
        client.leave()
        own = self._say(model, self._own[item], item)
        return own, None if self.beside is None else self._say(model, self.beside, item)

    def _say(self, model: FlatModel, rows: Tensor, whose: int) -> Tensor:
        try:
            return torch.from_numpy(predict(model, self._data, rows, self._server))
        except DivergedError as error:
            raise DivergedError(f"{error}, those of client {whose}'s own model") from error

    def words(self, item: int) -> str:
        """The client's model."""
        return f"the evaluation of client {item}'s own model"

    def brief(self) -> Any:
        """Also what is asked for besides."""
        return self.beside, super().brief()

    def take_up(self, brief: Any) -> None:
        """In a worker: know that."""
        self.beside, rest = brief
        super().take_up(rest)

    def entrust(self, item: int) -> Any:
        """What the client has kept so far."""
        return own_state(self._server, self._clients[item])

    def take_over(self, item: int, entrusted: Any) -> None:
        """In a worker: let it have that."""
        self._clients[item].state = ClientState()
        put_own_state(self._server, self._clients[item], entrusted)

    def stays(self, item: int) -> Mapping[str, Any]:
        """What the server and the client have: nothing of either is handed back."""
        client = vars(self._clients[item])
        stays = {f"client.{name}": one for name, one in client.items() if name not in PASSING}
        return fixed_of(self._server) | stays

    def take_back(self, item: int, back: Any) -> tuple[Tensor, Tensor | None]:
        """Let the run's memory have no more of what the client keeps on the disk."""
        self._clients[item].state.release()
        return super().take_back(item, back)
