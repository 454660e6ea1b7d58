"""Numbers and byte strings in a payload, little endian."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from medfl.privacy.sealed.refusals import RefusedMessageError

_NUMBER = struct.Struct("<q")


def packed(*numbers: int) -> bytes:
    """Numbers, 8 bytes each."""
    return struct.pack(f"<{len(numbers)}q", *numbers)


def packed_list(numbers: Iterable[int]) -> bytes:
    """How many numbers there are, and the numbers."""
    listed = list(numbers)
    return packed(len(listed), *listed)


def packed_pieces(pieces: Iterable[bytes]) -> bytes:
    """How many pieces there are, and each with its length."""
    listed = list(pieces)
    return b"".join([packed(len(listed)), *(packed(len(piece)) + piece for piece in listed)])


class PayloadReader:
    """Reads a payload from its beginning to its end.

    Every method raises ``RefusedMessageError`` where the payload is not what it should be.
    """

    def __init__(self, payload: memoryview, sender: int) -> None:
        self._rest = payload
        self._sender = sender

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if not 0 <= size <= self._rest.nbytes:
            raise RefusedMessageError(self._sender, "its payload is shorter than it says")
        taken, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return taken

    def number(self) -> int:
        """The next number."""
        return int(_NUMBER.unpack(self.take(_NUMBER.size))[0])

    def numbers(self) -> tuple[int, ...]:
        """The next list of numbers, which must be ascending and each there once."""
        count = self.number()
        taken = self.take(max(count, -1) * _NUMBER.size)
        numbers = struct.unpack(f"<{count}q", taken)
        if list(numbers) != sorted(set(numbers)):
            raise RefusedMessageError(
                self._sender, "its list of clients is not ascending, or has one of them twice"
            )
        return numbers

    def pieces(self) -> list[bytes]:
        """The next list of pieces."""
        count = self.number()
        if not 0 <= count <= self._rest.nbytes:
            raise RefusedMessageError(self._sender, "its payload is shorter than it says")
        return [self.take(self.number()) for _ in range(count)]

    @property
    def rest(self) -> memoryview:
        """All that has not been read."""
        return self._rest

    def end(self) -> None:
        """Nothing may follow."""
        if self._rest.nbytes:
            raise RefusedMessageError(self._sender, "its payload is longer than it should be")
