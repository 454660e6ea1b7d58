"""Objects that cross from one process of a run to another, their tensors through shared memory.

Python's pickle carries the object. A tensor that both processes have goes by its name, so that it
is the same object again on the other side. All others go as bytes: together with the object where
they are few, else each in a file of its own that lies in memory and that the other process maps, so
that nobody copies it. Of one file for all, the least tensor that is kept would keep the whole.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

FEW_BYTES = 2**16  # are copied faster than mapped
MOST_FILES = 200  # the system lets 253 cross at once; what is above them shares the last one
_HEADER = struct.Struct(">QQ")  # bytes of the object; bytes of its small tensors
_ALIGNED = 64
# dtype, shape, strides; which file, or -1 for what goes with the object; from which byte on
_Place = tuple[torch.dtype, tuple[int, ...], tuple[int, ...], int, int]


class GoneError(Exception):
    """The other process has ended."""


class Packed:
    """An object that is ready to be sent, also to several processes.

    Args:
        content: the object.
        known: tensors by names that the other process knows, too.

    Raises:
        Exception: what pickle raises where an object cannot cross.
    """

    def __init__(self, content: Any, known: Mapping[str, Tensor] | None = None) -> None:
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, known or {})
        pickler.dump(content)
        small = b"".join(piece for tensor in pickler.small for piece in _pieces(tensor))
        self._header = _HEADER.pack(buffer.tell(), len(small))
        self._text = buffer.getvalue() + small
        self._files: list[int] = []
        try:
            for tensors in pickler.large:
                self._files.append(os.memfd_create("medfl"))
                for tensor in tensors:
                    for piece in _pieces(tensor):
                        _write(self._files[-1], piece)
        except BaseException:
            self.close()
            raise

    def send(self, to: socket.socket) -> None:
        """Send it.

        Raises:
            GoneError: nobody is there.
        """
        try:
            sent = socket.send_fds(to, [self._header], self._files)
            to.sendall(self._header[sent:] + self._text)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise GoneError from error

    def close(self) -> None:
        """Let go of its memory; who has received it keeps it."""
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> Packed:
        """Close it at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def receive(source: socket.socket, known: Mapping[str, Tensor] | None = None) -> Any:
    """Wait for an object and give it.

    Raises:
        GoneError: the other process has ended.
    """
    try:
        header, files, _, _ = socket.recv_fds(source, _HEADER.size, MOST_FILES)
        try:
            if not header:
                raise GoneError
            header += _exactly(source, _HEADER.size - len(header))
            length, size = _HEADER.unpack(header)
            text, small = _exactly(source, length), _stored(_exactly(source, size))
            storages = [*map(_mapped, files), small]
        finally:
            for file in files:
                os.close(file)
    except ConnectionResetError as error:
        raise GoneError from error
    return _Unpickler(io.BytesIO(text), storages, known or {}).load()


class _Pickler(pickle.Pickler):
    """Puts tensors aside.

    Attributes:
        small: those that go with the object.
        large: those that go in each file.
    """

    def __init__(self, file: io.BytesIO, known: Mapping[str, Tensor]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._names = {id(tensor): name for name, tensor in known.items()}
        self._numbers: dict[int, int] = {}
        self.small: list[Tensor] = []
        self.large: list[list[Tensor]] = []
        self._ends: Counter[int] = Counter()  # the bytes so far of each file

    def persistent_id(self, value: Any) -> Any:
        """A name for a tensor that is known, or its number and place."""
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            return None
        if name := self._names.get(id(value)):
            return name
        if (number := self._numbers.get(id(value))) is not None:
            return number, None
        number = self._numbers[id(value)] = len(self._numbers)
        strides = torch.empty_like(value, device="meta").stride()  # without gaps
        if value.stride() != strides:
            value = value.clone()
        file = min(len(self.large), MOST_FILES - 1) if value.nbytes > FEW_BYTES else -1
        if file == len(self.large):
            self.large.append([])
        (self.small if file < 0 else self.large[file]).append(value.detach())
        place = (value.dtype, tuple(value.shape), strides, file, self._ends[file])
        self._ends[file] += _room(value)
        return number, place

    def reducer_override(self, value: Any) -> Any:
        """A generator goes with its state."""
        if isinstance(value, torch.Generator):
            return _generator, (value.get_state(),)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Puts tensors back in."""

    def __init__(
        self, file: io.BytesIO, storages: list[torch.UntypedStorage], known: Mapping[str, Tensor]
    ) -> None:
        super().__init__(file)
        self._storages, self._known = storages, known
        self._tensors: dict[int, Tensor] = {}

    def persistent_load(self, found: Any) -> Tensor:
        """The tensor of a name, or of a number."""
        if isinstance(found, str):
            return self._known[found]
        number, place = found
        if number not in self._tensors:
            self._tensors[number] = _view(self._storages, place)
        return self._tensors[number]


def _view(storages: list[torch.UntypedStorage], place: _Place) -> Tensor:
    dtype, shape, strides, file, offset = place
    whole = torch.empty(0, dtype=dtype)
    return whole.set_(storages[file], offset // whole.element_size(), shape, strides)


def _room(tensor: Tensor) -> int:
    return int(tensor.nbytes + -tensor.nbytes % _ALIGNED)


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor, and those up to the place of the next one."""
    flat = tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)
    yield flat.numpy().data
    yield memoryview(bytes(-tensor.nbytes % _ALIGNED))


def _generator(state: Tensor) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(state.clone())
    return generator


def _write(file: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(file, piece) :]


def _mapped(file: int) -> torch.UntypedStorage:
    """A file as memory, so that it need not stay open."""
    path, size = f"/proc/self/fd/{file}", os.fstat(file).st_size
    storage: torch.UntypedStorage = torch.UntypedStorage.from_file(path, True, size)  # type: ignore[assignment]
    return storage


def _stored(content: bytearray) -> torch.UntypedStorage:
    if not content:
        return torch.UntypedStorage(0)
    return torch.frombuffer(content, dtype=torch.uint8).untyped_storage()


def _exactly(source: socket.socket, length: int) -> bytearray:
    content = bytearray(length)
    rest = memoryview(content)
    while rest:
        count = source.recv_into(rest)
        if count == 0:
            raise GoneError
        rest = rest[count:]
    return content
