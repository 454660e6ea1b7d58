"""Objects that cross from one process of a run to another, their tensors through shared memory.

Python's pickle carries the object. A tensor that both processes have goes by its name, so that it
is the same object again on the other side. All others go as bytes: together with the object where
they are few, else in a file that lies in memory and that the other process maps, so that nobody
copies them.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

FEW_BYTES = 2**16  # are copied faster than mapped
_HEADER = struct.Struct(">QQ")  # bytes of the object; bytes of its tensors
_ALIGNED = 64
_Place = tuple[torch.dtype, tuple[int, ...], tuple[int, ...], int]  # strides; from which byte on


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
        self._text, self._file = buffer.getvalue(), -1
        self._header = _HEADER.pack(len(self._text), pickler.size)
        if pickler.size <= FEW_BYTES:
            self._text += b"".join(pickler.pieces())
            return
        self._file = os.memfd_create("medfl")
        try:
            for piece in pickler.pieces():
                _write(self._file, piece)
        except BaseException:
            self.close()
            raise

    def send(self, to: socket.socket) -> None:
        """Send it.

        Raises:
            GoneError: nobody is there.
        """
        try:
            files = [self._file] if self._file >= 0 else []
            sent = socket.send_fds(to, [self._header], files)
            to.sendall(self._header[sent:] + self._text)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise GoneError from error

    def close(self) -> None:
        """Let go of its memory; who has received it keeps it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

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
        header, files, _, _ = socket.recv_fds(source, _HEADER.size, 1)
        if not header:
            raise GoneError
        header += _exactly(source, _HEADER.size - len(header))
        length, size = _HEADER.unpack(header)
        text = _exactly(source, length)
        if files:
            try:
                storage = _mapped(files[0], size)
            finally:
                os.close(files[0])
        else:
            storage = _stored(_exactly(source, size))
    except ConnectionResetError as error:
        raise GoneError from error
    return _Unpickler(io.BytesIO(text), storage, known or {}).load()


class _Pickler(pickle.Pickler):
    """Puts tensors aside, and counts their bytes."""

    def __init__(self, file: io.BytesIO, known: Mapping[str, Tensor]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._names = {id(tensor): name for name, tensor in known.items()}
        self._numbers: dict[int, int] = {}
        self._tensors: list[Tensor] = []
        self.size = 0

    def persistent_id(self, value: Any) -> Any:
        """A name for a tensor that is known, or its number and place."""
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            return None
        if name := self._names.get(id(value)):
            return name
        if (number := self._numbers.get(id(value))) is not None:
            return number, None
        number = self._numbers[id(value)] = len(self._tensors)
        strides = torch.empty_like(value, device="meta").stride()  # without gaps
        if value.stride() != strides:
            value = value.clone()
        self._tensors.append(value.detach())
        place = (value.dtype, tuple(value.shape), strides, self.size)
        self.size += value.nbytes + -value.nbytes % _ALIGNED
        return number, place

    def reducer_override(self, value: Any) -> Any:
        """A generator goes with its state."""
        if isinstance(value, torch.Generator):
            return _generator, (value.get_state(),)
        return NotImplemented

    def pieces(self) -> Iterator[memoryview]:
        """The bytes of the tensors, one after the other."""
        for tensor in self._tensors:
            flat = tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)
            yield flat.numpy().data
            yield memoryview(bytes(-tensor.nbytes % _ALIGNED))


class _Unpickler(pickle.Unpickler):
    """Puts tensors back in."""

    def __init__(
        self, file: io.BytesIO, storage: torch.UntypedStorage, known: Mapping[str, Tensor]
    ) -> None:
        super().__init__(file)
        self._storage, self._known = storage, known
        self._tensors: dict[int, Tensor] = {}

    def persistent_load(self, found: Any) -> Tensor:
        """The tensor of a name, or of a number."""
        if isinstance(found, str):
            return self._known[found]
        number, place = found
        if number not in self._tensors:
            self._tensors[number] = _view(self._storage, place)
        return self._tensors[number]


def _view(storage: torch.UntypedStorage, place: _Place) -> Tensor:
    dtype, shape, strides, offset = place
    whole = torch.empty(0, dtype=dtype)
    return whole.set_(storage, offset // whole.element_size(), shape, strides)


def _generator(state: Tensor) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(state.clone())
    return generator


def _write(file: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(file, piece) :]


def _mapped(file: int, size: int) -> torch.UntypedStorage:
    """A file as memory, so that it need not stay open."""
    path = f"/proc/self/fd/{file}"
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
