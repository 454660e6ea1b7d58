"""Integers that wrap around, and streams of AES-256 in counter mode (NIST SP 800-38A) on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from medfl.errors import MedflError

RingVector = NDArray[np.unsignedinteger[Any]]
"""Integers modulo 2^32 or 2^64, little endian in memory: their sums wrap around."""

# So many bytes of the vector and of the stream stay in a core's own cache.
_BLOCK_BYTES = 1 << 16
_FIRST = bytes(16)  # the counter begins at zero, since each key has one stream alone


def ring_dtype(bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The type of the entries of a ring vector of 32 or 64 bits."""
    if bits not in (32, 64):
        raise MedflError(f"ring_bits must be 32 or 64, not {bits}.")
    return np.dtype(f"<u{bits // 8}")


def apply_masks(
    vector: RingVector, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()
) -> None:
    """Add to ``vector`` (d,), in place, the streams of keys ``plus``, less those of ``minus``.

    Args:
        vector: contiguous; its sums are modulo 2^32 or 2^64.
        plus: keys of 32 bytes, each used for this alone.
        minus: keys of 32 bytes, likewise.
    """
    streams: list[tuple[Any, Any]] = [(np.add, _stream(key)) for key in plus]
    streams += [(np.subtract, _stream(key)) for key in minus]
    zeros, buffer = bytes(_BLOCK_BYTES), bytearray(_BLOCK_BYTES)
    mask = np.frombuffer(buffer, vector.dtype)
    length = len(mask)
    for start in range(0, len(vector), length):
        block = vector[start : start + length]
        size = block.nbytes
        source, target = zeros[:size], memoryview(buffer)[:size]
        for combine, stream in streams:
            stream.update_into(source, target)
            combine(block, mask[: len(block)], out=block)


def _stream(key: bytes) -> Any:
    return Cipher(AES(key), CTR(_FIRST)).encryptor()
