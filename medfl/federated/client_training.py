"""Local training as a task for workers: what crosses between their processes and the run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from medfl.chain import PARAMETERS, STATISTICS, Message, NotFiniteError, Part, Work
from medfl.federated.client import FederatedClient
from medfl.federated.client_state import ClientState
from medfl.federated.server import FederatedServer
from medfl.federated.workers import WorkerTask
from medfl.models.flat import FlatModel

Outcome = tuple[Message, Work] | NotFiniteError
"""What training one client came to."""

# What a client has in every process, or what follows from what the server sent.
_FIXED = {"id", "data", "rows", "groups", "criterion", "server", "training"}
_SENT = {"received", "start", "start_buffers"}
# What is a client's for the time of a task alone, or looked after by its engine.
PASSING = _SENT | {"drawn", "_kept", "state"}
_PARTS = {"algorithm", "chain"}  # of a server, which are looked at by themselves


class ClientTraining(WorkerTask[int, Outcome]):
    """Trains the client of an id from what the server has sent.

    Attributes:
        download: what it has sent in the round under way.
    """

    def __init__(self, server: FederatedServer, clients: Sequence[FederatedClient]) -> None:
        self.download: Mapping[str, Part] = {}
        self._server = server
        self._clients = {client.id: client for client in clients}

    def do(self, item: int, model: FlatModel) -> Outcome:
        """Train it; the message may be made of the network's own vectors."""
        try:
            return self._clients[item].train(model, self.download)
        except NotFiniteError as problem:
            return problem

    def words(self, item: int) -> str:
        """The client's training."""
        return f"round {self._server.round}: the training of client {item}"

    def brief(self) -> Any:
        """What the server has sent, and what the algorithm keeps there."""
        return self._server.round, self.download, self._server.algorithm.state

    def take_up(self, brief: Any) -> None:
        """In a worker: have it."""
        server = self._server
        server.round, self.download, server.algorithm.state = brief
        # Not copied: all workers read the same memory.
        server.vector = self.download[PARAMETERS].value
        server.buffers = self.download[STATISTICS].value

    def forget(self) -> None:
        """In a worker: forget what the server has sent."""
        self.download = {}

    def entrust(self, item: int) -> Any:
        """What the client has kept so far."""
        return own_state(self._server, self._clients[item])

    def take_over(self, item: int, entrusted: Any) -> None:
        """In a worker: let it have that."""
        self._clients[item].state = ClientState()
        put_own_state(self._server, self._clients[item], entrusted)

    def hand_back(self, item: int, result: Outcome) -> Any:
        """Its message and work, and what it has kept since."""
        client = self._clients[item]
        start = None if self._server.shared.all else (client.start, client.start_buffers)
        client.leave()
        return result, own_state(self._server, client), start

    def take_back(self, item: int, back: Any) -> Outcome:
        """Let the client be as after its training, and give its message and work."""
        client = self._clients[item]
        outcome: Outcome
        outcome, kept, start = back
        put_own_state(self._server, client, kept)
        client.received = {name: part.value for name, part in self.download.items()}
        client.start, client.start_buffers = start or (
            client.received[PARAMETERS],
            client.received[STATISTICS],
        )
        client.put_aside()
        return outcome

    def known(self, item: int) -> Mapping[str, Tensor]:
        """What the server has sent, and the client's state."""
        sent = {f"sent {name}": part.value for name, part in self.download.items()}
        return sent | {f"kept {name}": t for name, t in self._clients[item].state.items()}

    def stays(self, item: int) -> Mapping[str, Any]:
        """What the server has, and what a client has in every process."""
        client = vars(self._clients[item])
        return fixed_of(self._server) | {f"client.{name}": client[name] for name in _FIXED}

    def size(self, back: Any) -> int:
        """Bytes of the vectors that wait."""
        outcome, (attributes, _), _ = back
        if isinstance(outcome, NotFiniteError):
            return 0
        message, work = outcome
        waiting = [*(part.value for part in message.parts.values()), *work.extras.values()]
        waiting += [*attributes["_kept"].values(), *attributes["state"].values()]
        return sum({id(tensor): tensor.nbytes for tensor in waiting}.values())


def fixed_of(server: FederatedServer) -> dict[str, Any]:
    """What the server has but its algorithm and its links, by the names that hooks use."""
    return {f"server.{name}": one for name, one in vars(server).items() if name not in _PARTS}


def own_state(server: FederatedServer, client: FederatedClient) -> tuple[Any, Any]:
    """What belongs to one client alone: its own attributes, and what links hold of it."""
    of_links = {
        (link.name, name): held[client.id]
        for link in server.chain.links
        for name in link.by_client
        if client.id in (held := getattr(link, name))
    }
    left_out = _FIXED | _SENT
    attributes = {k: v for k, v in vars(client).items() if k not in left_out}
    # What is on the disk crosses as tensors: only the run's own process knows the file.
    return attributes | {"state": dict(client.state)}, of_links


def put_own_state(server: FederatedServer, client: FederatedClient, state: tuple[Any, Any]) -> None:
    """Let it have what ``own_state`` gave in another process, and nothing else."""
    attributes, of_links = state
    for name in vars(client).keys() - attributes.keys() - _FIXED - _SENT:
        delattr(client, name)
    vars(client).update({name: one for name, one in attributes.items() if name != "state"})
    client.state.take_back(attributes["state"])
    for link in server.chain.links:
        for name in link.by_client:
            held = getattr(link, name)
            if (link.name, name) in of_links:
                held[client.id] = of_links[link.name, name]
            else:
                held.pop(client.id, None)
