"""A vector of whole numbers as ciphertexts, one after another in a message."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Integers
from medfl.privacy.encryption.settings import CHECKS, CkksSettings

_LENGTH = struct.Struct("<I")


def blocks_of(values: Integers, settings: CkksSettings) -> Integers:
    """Whole numbers (d,) as rows of a ciphertext's data slots, (m, k); the last is filled with 0.

    Raises:
        MedflError: a number is so large that the sum could wrap around.
    """
    limit = settings.largest_integer
    if len(values) and max(int(values.max()), -int(values.min())) > limit:
        raise MedflError(
            f"encryption: a whole number is above {limit} in size, so that the sum of "
            f"{settings.clients} could wrap around: take a coarser grid or smaller weights."
        )
    slots = settings.data_slots
    blocks = np.zeros((settings.blocks(len(values)), slots), np.int64)
    blocks.reshape(-1)[: len(values)] = values
    return blocks


def encrypt(context: Any, blocks: Integers, checks: Integers) -> Iterator[bytes]:
    """The serialised ciphertext of each block with its check slots."""
    import tenseal

    for block, check in zip(blocks, checks, strict=True):
        numbers = np.concatenate([block, check]).astype(np.float64)
        yield tenseal.ckks_vector(context, numbers).serialize()


def decrypt(context: Any, pieces: list[bytes]) -> tuple[Integers, Integers]:
    """The whole numbers of ciphertexts, (m, k), and of their check slots, (m, 4).

    They are rounded, so that nothing of the encryption's noise leaves: what CKKS decrypts to, noise
    and all, must not be published (Li and Micciancio, Eurocrypt 2021).
    """
    rows = [np.rint(np.asarray(read_ciphertext(context, piece).decrypt())) for piece in pieces]
    numbers = np.stack(rows).astype(np.int64)
    return numbers[:, : -len(CHECKS)], numbers[:, -len(CHECKS) :]


def read_ciphertext(context: Any, piece: bytes) -> Any:
    """A ciphertext (``MedflError`` where the bytes are none, or of other parameters)."""
    import tenseal

    try:
        return tenseal.ckks_vector_from(context, piece)
    except (ValueError, RuntimeError, TypeError) as error:
        raise MedflError(
            "encryption: a ciphertext is damaged, or was made with other parameters."
        ) from error


def join_ciphertexts(pieces: list[bytes]) -> bytes:
    """Ciphertexts one after another, each behind its length."""
    return b"".join(_LENGTH.pack(len(piece)) + piece for piece in pieces)


def split_ciphertexts(payload: memoryview) -> list[bytes]:
    """The ciphertexts of a message (``MedflError`` where it is cut short)."""
    pieces, at = [], 0
    while at < len(payload):
        if len(payload) < at + _LENGTH.size:
            raise MedflError("encryption: a message is cut short.")
        (length,) = _LENGTH.unpack(payload[at : at + _LENGTH.size])
        at += _LENGTH.size
        if len(payload) < at + length:
            raise MedflError("encryption: a message is cut short.")
        pieces.append(bytes(payload[at : at + length]))
        at += length
    return pieces
