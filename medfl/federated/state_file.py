"""A file for tensors of which a run has too many for its memory: those that clients keep.

What is written never changes: another value gets another place. So whatever a checkpoint refers to
stays readable until the next checkpoint has taken its place, and a run that is killed at any moment
finds there what its checkpoint says.

It is read and written in pieces and not through a memory map: a full or damaged disk is then one
sentence instead of a killed process, and what was read does not count as the process's memory.
"""

from __future__ import annotations

import os
import tempfile
import threading
import zlib
from bisect import insort
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from medfl.errors import MedflError
from medfl.files import cannot_write
from medfl.stopping import held


class FreePlaces:
    """Which stretches of a file are free, in bytes. The first that is long enough is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[tuple[int, int]] = []  # (first byte, the one behind the last), sorted
        self._end = 0  # behind it all is free
        # A destructor gives a stretch back. It may run at any moment, so it must not wait.
        self._returned = SimpleQueue[tuple[int, int]]()

    def take(self, size: int) -> int:
        """The first byte of a stretch that was free."""
        with held(), self._lock:
            self._join_returned()
            for at, (first, end) in enumerate(self._free):
                if end - first >= size:
                    self._free[at : at + 1] = [(first + size, end)] * (end - first > size)
                    return first
            first, self._end = self._end, self._end + size
            return first

    def claim(self, first: int, size: int) -> None:
        """Take this very stretch; ``ValueError`` where it is not free."""
        with held(), self._lock:
            self._join_returned()
            end = first + size
            if end > self._end:
                self._put(self._end, end)
                self._end = end
            for at, (begins, ends) in enumerate(self._free):
                if begins <= first and end <= ends:
                    rest = [(begins, first), (end, ends)]
                    self._free[at : at + 1] = [part for part in rest if part[0] < part[1]]
                    return
            raise ValueError(f"bytes {first} to {end} are not free")

    def give_back(self, first: int, size: int) -> None:
        """Let others take a stretch; any thread may do so at any moment."""
        self._returned.put((first, first + size))

    def _join_returned(self) -> None:
        while not self._returned.empty():
            self._put(*self._returned.get())

    def _put(self, first: int, end: int) -> None:
        """Make a stretch free, as one with those that touch it."""
        for other in [one for one in self._free if one[0] == end or one[1] == first]:
            self._free.remove(other)
            first, end = min(first, other[0]), max(end, other[1])
        insort(self._free, (first, end))


@dataclass(eq=False)
class Stored:
    """A tensor in a state file. Its place is free again once nothing refers to this object.

    Attributes:
        file: where it lies.
        first, size: its bytes there.
        dtype: of its entries, as torch calls it: ``float32``.
        shape, stride: of the tensor, as it lay in memory.
        crc: the CRC-32 of its bytes.
    """

    file: StateFile = field(repr=False)
    first: int
    size: int
    dtype: str
    shape: list[int]
    stride: list[int]
    crc: int = 0

    def __del__(self) -> None:
        if self.size:
            self.file.places.give_back(self.first, self.size)

    def description(self) -> list[Any]:
        """What a checkpoint holds of it, in plain values."""
        return [self.first, self.size, self.dtype, self.shape, self.stride, self.crc]

    def read(self) -> Tensor:
        """The tensor, as it was written, in a memory of its own.

        Raises:
            MedflError: the file is damaged, or cannot be read.
        """
        return self.file.read(self)


class StateFile:
    """A file of tensors. It is made when the first of them is written.

    Args:
        path: the file; None for one without a name, in the system's temporary folder.
        device: where tensors are that were read.

    Attributes:
        places: which stretches of it are free.
    """

    def __init__(self, path: Path | None, device: torch.device) -> None:
        self.path = path or Path(tempfile.gettempdir(), "client-state")
        self.places = FreePlaces()
        self._named, self._device = path is not None, device
        self._file: Any = None
        self._lock = threading.Lock()

    def write(self, tensor: Tensor) -> Stored:
        """Write a tensor.

        Raises:
            MedflError: the disk is full, or the place forbidden.
        """
        # Its layout stays, channels last or not, where it has no gaps.
        whole = torch.empty_like(tensor, device="cpu", requires_grad=False)
        whole.copy_(tensor.detach())
        content = _bytes_of(whole)
        stored = Stored(
            self,
            self.places.take(content.nbytes) if content.nbytes else 0,
            content.nbytes,
            str(whole.dtype).removeprefix("torch."),
            list(whole.shape),
            list(whole.stride()),
            zlib.crc32(content),
        )
        position, rest = stored.first, content
        try:
            file = self._opened()
            while rest.nbytes:
                count = os.pwrite(file, rest, position)
                rest, position = rest[count:], position + count
        except OSError as error:
            explained = cannot_write(self.path, error)
            if explained is None:
                raise MedflError(f"{self.path} cannot be written: {error.strerror}.") from error
            raise explained from error
        return stored

    def read(self, stored: Stored) -> Tensor:
        """Read a tensor; see ``Stored.read``."""
        whole = torch.empty_strided(
            stored.shape, stored.stride, dtype=getattr(torch, stored.dtype), device="cpu"
        )
        content = _bytes_of(whole)
        position, rest = stored.first, content
        try:
            file = self._opened()
            while rest.nbytes:
                count = os.preadv(file, [rest], position)
                if count == 0:
                    break
                rest, position = rest[count:], position + count
        except OSError as error:
            raise MedflError(f"{self.path} cannot be read: {error.strerror}.") from error
        if rest.nbytes or zlib.crc32(content) != stored.crc:
            raise MedflError(
                f"{self.path} is damaged: it does not hold what was written to it. Check the disk, "
                "then run the command again."
            )
        return whole.to(self._device)

    def adopt(self, description: list[Any]) -> Stored:
        """A tensor that a checkpoint describes so. It is read to see that it is whole.

        Raises:
            MedflError: it is not.
        """
        first, size, dtype, shape, stride, crc = description
        if size:
            self.places.claim(first, size)
        stored = Stored(self, first, size, dtype, list(shape), list(stride), crc)
        stored.read()
        return stored

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        if self._file is None:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) or error from error

    def close(self) -> None:
        """Close it; one without a name is gone with that."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> int:
        """The descriptor of the file, which is made if there is none."""
        if self._file is None:
            with held(), self._lock:
                if self._file is None and self._named:
                    # What is in it stays: a checkpoint may refer to it.
                    descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                    self._file = os.fdopen(descriptor, "r+b", buffering=0)
                elif self._file is None:
                    self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` does
        return int(self._file.fileno())


def _bytes_of(whole: Tensor) -> memoryview:
    """The memory of a tensor without gaps on the CPU, as bytes."""
    if not whole.numel():
        return memoryview(b"")
    return whole.as_strided((whole.numel(),), (1,)).view(torch.uint8).numpy().data.cast("B")
