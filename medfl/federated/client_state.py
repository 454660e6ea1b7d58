"""What clients keep from round to round: in memory, or in a file where it does not fit there."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from medfl.config import Training
from medfl.errors import MedflError
from medfl.federated.memory import room_in_memory
from medfl.federated.state_file import StateFile, Stored
from medfl.federated.workers import in_worker
from medfl.stopping import held

log = logging.getLogger(__name__)
NAME, ASIDE = "client-state.bin", "client-state.set-aside.bin"
KeptTensor = Tensor | Stored
"""A tensor, or where it lies on the disk."""


class ClientState(MutableMapping[str, Tensor]):
    """The tensors that a client keeps, by name. Those on the disk are read when they are asked for.

    What was read stays in memory until ``release``, so that a hook may ask for it in every step.
    """

    def __init__(self) -> None:
        self._kept: dict[str, KeptTensor] = {}
        self._read: dict[str, Tensor] = {}

    @property
    def kept(self) -> dict[str, KeptTensor]:
        """What it holds, without reading it."""
        return dict(self._kept)

    def keep(self, kept: Mapping[str, KeptTensor]) -> None:
        """Take other values for these names."""
        self._kept |= kept
        for name in kept:
            self._read.pop(name, None)

    def take_back(self, found: Mapping[str, Tensor]) -> None:
        """Be what a worker made of it: ``found`` has the objects that it got, unless they changed.

        Raises:
            MedflError: one that is on the disk was changed in place.
        """
        for name in self._kept.keys() - found.keys():
            del self[name]
        for name, tensor in found.items():
            if name in self._kept and self[name] is tensor:
                continue
            if isinstance(self._kept.get(name), Stored):
                raise _changed(name)
            self.keep({name: tensor})

    def release(self) -> None:
        """Forget what was read from the disk.

        Raises:
            MedflError: it was changed in place, which is lost with it.
        """
        read, self._read = self._read, {}
        for name, tensor in read.items():
            if not tensor.is_inference() and tensor._version:
                raise _changed(name)

    def __getitem__(self, name: str) -> Tensor:
        kept = self._kept[name]
        if isinstance(kept, Stored):
            if name not in self._read:
                self._read[name] = kept.read()
            return self._read[name]
        return kept

    def __setitem__(self, name: str, value: Tensor) -> None:
        self.keep({name: value})

    def __delitem__(self, name: str) -> None:
        del self._kept[name]
        self._read.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"ClientState({self._kept})"


def _changed(name: str) -> MedflError:
    return MedflError(
        f"`client.state[{name!r}]` is changed in place, which is lost where clients' states are on "
        "the disk: give another tensor to `client.keep`, or set `training.client_state: memory`."
    )


class ClientStates:
    """Decides where the states of a run's clients lie, and puts them there.

    Args:
        training: says where; ``auto`` is decided when the first client keeps something, because
            only then it is known how much that is.
        clients: how many clients there are.
        device: where their tensors are.

    Attributes:
        folder: the run's, which has the file; None for a file without a name.
    """

    def __init__(self, training: Training, clients: int, device: torch.device) -> None:
        self.folder: Path | None = None
        self._training, self._clients, self._device = training, clients, device
        self._file: StateFile | None = None
        self._lock = threading.Lock()
        self._on_disk = {"memory": False, "disk": True}.get(training.client_state)

    @property
    def file(self) -> StateFile:
        """The file of those that are on the disk."""
        with held(), self._lock:
            if self._file is None:
                self._file = StateFile(self.folder and self.folder / NAME, self._device)
            return self._file

    def put_aside(self, kept: Mapping[str, KeptTensor]) -> dict[str, KeptTensor]:
        """The same, on the disk where it belongs there; only the run's own process writes there."""
        new = {name: one for name, one in kept.items() if isinstance(one, Tensor)}
        if not new or in_worker() or not self._belongs_on_disk(new):
            return dict(kept)
        return {**kept, **{name: self.file.write(tensor) for name, tensor in new.items()}}

    def restored(self, kept: Mapping[str, KeptTensor]) -> dict[str, KeptTensor]:
        """What a checkpoint holds of a client, where this run wants it."""
        if self._training.client_state == "memory":
            return {k: one.read() if isinstance(one, Stored) else one for k, one in kept.items()}
        if any(isinstance(one, Stored) for one in kept.values()):
            self._on_disk = True
        return self.put_aside(kept)

    def set_aside(self) -> None:
        """Keep the file under another name beside the checkpoint that refers to it."""
        if self.folder and (self.folder / NAME).exists():
            os.replace(self.folder / NAME, self.folder / ASIDE)

    def begin_anew(self) -> None:
        """Forget the file of a run that nothing goes on from."""
        with suppress(OSError):  # its folder is another's: the run notices it when it writes
            if self.folder:
                (self.folder / NAME).unlink(missing_ok=True)
        self._file = None

    def sync(self) -> None:
        """Wait until what is on the disk is there for good."""
        if self._file is not None:
            self._file.sync()

    def _belongs_on_disk(self, kept: Mapping[str, Tensor]) -> bool:
        with held(), self._lock:
            if self._on_disk is None:
                size = sum(tensor.nbytes for tensor in kept.values())
                # While a round runs, there are those of the last one, too.
                needed = 2 * size * self._clients
                room = room_in_memory(self._device, self._training.memory_limit)
                self._on_disk = needed > room
                if self._on_disk:
                    log.info("clients' states are kept on the disk (%.1f MiB each)", size / 2**20)
            return self._on_disk
