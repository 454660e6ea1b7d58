"""All that the next round of a run reads, as a checkpoint holds it.

Random streams follow from their keys alone, so they are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from medfl.federated.client_state import ClientState
from medfl.federated.evaluation import Evaluation
from medfl.federated.state_file import Stored

if TYPE_CHECKING:
    from medfl.federated.trainer import FederatedTrainer

# Clients' states in memory that are replaced during a round stay there until its end, so that the
# round can be given up. Where they are larger than this in all, in bytes, they do not.
KEPT_BYTES = 2**31
# Histories only grow: their length says how they were. Of the rest, these change within a round.
HISTORIES = ("history", "client_history")
CHANGING = ("trained", "stretches", "server", "algorithm", "chain", "clients")


class WholeRound:
    """The state after the last whole round, while the next one is under way.

    Nothing is copied but containers and NumPy arrays: what the engine and hooks may change in the
    middle of a round, they replace. Whether a tensor was changed in place all the same is seen from
    its version, which PyTorch counts.

    Attributes:
        number: the last round that was trained; its evaluation may be still to do.
    """

    def __init__(self, trainer: FederatedTrainer, number: int) -> None:
        self.number = trainer.trained["round"] if trainer.trained else number
        self._rows = {name: len(getattr(trainer, name)) for name in HISTORIES}
        self._state = state_of(trainer, number)
        for name in CHANGING:
            self._state[name] = _copied(self._state[name])
        large = sum(t.nbytes for t in _tensors(self._state["clients"])) > KEPT_BYTES
        if large:
            self._state = {}
        parts = [self._state.get(name) for name in CHANGING]
        self._versions = [(tensor, _version(tensor)) for tensor in _tensors(parts)]

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint holds; None where it is no longer what it was after that round."""
        if not self._state or any(_version(t) != version for t, version in self._versions):
            return None
        return self._state | {name: self._state[name][:n] for name, n in self._rows.items()}


def state_of(trainer: FederatedTrainer, number: int) -> dict[str, Any]:
    """The state after round ``number``. Its containers and tensors are the run's own.

    What clients keep on the disk is in it as the place where it lies.
    """
    server = trainer.server
    return {
        "fingerprint": trainer.fingerprint,
        "round": number,
        "trained": trainer.trained,
        "stretches": trainer.stretches,
        "server": {"vector": server.vector, "buffers": server.buffers},
        "algorithm": server.algorithm.state,
        "chain": server.chain.state,
        "clients": {
            c.id: {"state": c.state.kept, "steps": c.steps, "refused": c.refused}
            for c in trainer.clients
        },
        "history": trainer.history,
        "client_history": trainer.client_history,
        "best": trainer.best and (trainer.best[0], vars(trainer.best[1])),
        "last": trainer.last and (trainer.last[0], vars(trainer.last[1])),
        "best_score": trainer.best_score,
        "seconds": trainer.seconds,
    }


def restore(trainer: FederatedTrainer, state: Mapping[str, Any]) -> None:
    """Put a run into the state that ``state_of`` gave."""
    server = trainer.server
    server.vector.copy_(state["server"]["vector"])
    server.buffers.copy_(state["server"]["buffers"])
    server.algorithm.state, server.chain.state = state["algorithm"], state["chain"]
    for client in trainer.clients:
        client.state = ClientState()
        client.state.keep(server.states.restored(state["clients"][client.id]["state"]))
        client.steps = state["clients"][client.id]["steps"]
        client.refused = tuple(state["clients"][client.id]["refused"])
    trainer.history, trainer.client_history = state["history"], state["client_history"]
    trainer.trained, trainer.stretches = state["trained"], state["stretches"]
    for name in ("best", "last"):
        if state[name]:
            setattr(trainer, name, (state[name][0], Evaluation(**state[name][1])))
    trainer.best_score, trainer.seconds = state["best_score"], state["seconds"]
    server.round = trainer.trained["round"] if trainer.trained else int(state["round"])


def _copied(value: Any) -> Any:
    """New containers of the same tensors."""
    if type(value) is dict:
        return {key: _copied(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(part) for part in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def stored_in(state: Mapping[str, Any]) -> list[Stored]:
    """Those tensors of clients to which a state refers by their places on the disk."""
    clients = state["clients"].values()
    return [one for c in clients for one in c["state"].values() if isinstance(one, Stored)]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _version(tensor: Tensor) -> int:
    """How often a tensor was changed in place; such of inference mode are not counted."""
    return -1 if tensor.is_inference() else tensor._version
