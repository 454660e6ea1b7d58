"""A secret linear checksum in every ciphertext, which hospitals check on the sum.

The server can compute with ciphertexts, so a right sum must be told from another one: where one
ciphertext stands in the place of another, or is scaled, or has some slots of one hospital and
others of the sum. In check slot j stands Σ_k r_k v_k + PRF(key, round, client, block, j) modulo a
prime (Wegman and Carter, 1981). The factors r_k and the pads come from a key that the hospitals
share and the server does not know.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from medfl.privacy.encryption.settings import CHECKS

Integers = NDArray[np.int64]
_ROW = 2048  # so many products of two numbers below 2^25 add up to less than 2^63
_PRIMES = np.array([prime for prime, _ in CHECKS], np.int64)


class Checksum:
    """The checks of one round.

    Args:
        key: 32 bytes that the hospitals share.
        context: what names session, round, clients, settings and the global model.
    """

    def __init__(self, key: bytes, context: bytes) -> None:
        self._key = hashlib.sha256(b"medfl ckks checksum" + key + context).digest()
        self._factors: dict[int, Integers] = {}

    def of(self, client: int, blocks: Integers) -> Integers:
        """The check slots of a client's blocks (m, k): (m, 4), each from 0 to its prime."""
        return (self._linear(blocks) + self._pads(client, len(blocks))) % _PRIMES

    def holds(self, clients: Iterable[int], sums: Integers, checks: Integers) -> NDArray[np.bool_]:
        """Of each block, whether it is the sum of just these clients' blocks.

        Args:
            clients: whose messages were added up.
            sums: (m, k), the decrypted sums of the blocks.
            checks: (m, 4), the decrypted sums of their check slots.
        """
        wanted = self._linear(sums)
        for client in clients:
            wanted += self._pads(client, len(sums))
        right: NDArray[np.bool_] = ((checks - wanted) % _PRIMES == 0).all(axis=1)
        return right

    def of_open(self, values: Integers) -> Integers:
        """Σ s_b r_k v_bk of numbers (d,) that travel in the clear, (4,): it travels encrypted."""
        rows = -(-len(values) // _ROW)
        blocks = np.zeros((rows, _ROW), np.int64)
        blocks.reshape(-1)[: len(values)] = values
        found = self._linear(blocks) * self._drawn(b"rows", rows) % _PRIMES
        total: Integers = found.sum(axis=0) % _PRIMES
        return total

    @staticmethod
    def agrees(one: Integers, other: Integers) -> bool:
        """Whether two sets of check slots (4,) are the same modulo their primes."""
        return bool(((one - other) % _PRIMES == 0).all())

    def _linear(self, blocks: Integers) -> Integers:
        """Σ_k r_k v_k modulo the primes, (m, 4): all below 2^25, so that no sum overflows."""
        factors, found = self._of_slots(blocks.shape[1]), np.empty((len(blocks), 4), np.int64)
        for prime in set(_PRIMES.tolist()):
            slots = np.flatnonzero(prime == _PRIMES)
            found[:, slots] = (blocks % prime) @ factors[:, slots] % prime
        return found

    def _of_slots(self, slots: int) -> Integers:
        if slots not in self._factors:
            self._factors[slots] = self._drawn(b"factors", slots)
        return self._factors[slots]

    def _pads(self, client: int, blocks: int) -> Integers:
        return self._drawn(b"pads" + struct.pack("<q", client), blocks)

    def _drawn(self, purpose: bytes, rows: int) -> Integers:
        """(rows, 4) numbers of a cipher's stream; 2^64 to a prime of 25 bits is as good as even."""
        key = hashlib.sha256(self._key + purpose).digest()
        stream: Any = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
        numbers = np.frombuffer(stream.update(bytes(8 * 4 * rows)), "<u8").reshape(rows, 4)
        return (numbers % _PRIMES.astype(np.uint64)).astype(np.int64)
