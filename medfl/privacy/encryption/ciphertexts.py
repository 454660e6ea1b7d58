"""A vector of whole numbers as ciphertexts, one after another in a message."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Integers
from medfl.privacy.encryption.settings import CHECKS, CkksSettings

_LENGTH = struct.Struct("<I")
_DAMAGED = "encryption: a ciphertext is damaged, or was made with other parameters."
_SHORT = "encryption: a message is cut short."
# What C++ exceptions of SEAL and protobuf come as.
_DAMAGES = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def blocks_of(values: Integers, settings: CkksSettings) -> Integers:
    """Whole numbers (d,) as rows of a ciphertext's data slots, (m, k); the last is filled with 0.

    Raises:
        MedflError: they are no whole numbers, or so large that the sum could wrap around.
    """
    check_integers(values)
    check_size(values, settings.largest_integer, settings)
    slots = settings.data_slots
    blocks = np.zeros((settings.blocks(len(values)), slots), np.int64)
    blocks.reshape(-1)[: len(values)] = values
    return blocks


def check_integers(values: Any) -> None:
    """Refuse what is no vector of whole numbers (``MedflError``)."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu" or values.ndim != 1:
        raise MedflError(
            "encryption: what is encrypted must be a vector of whole numbers: round updates, "
            "and leave out one that is not finite."
        )


def check_size(values: Integers, limit: int, settings: CkksSettings) -> None:
    """Refuse whole numbers above ``limit`` in size (``MedflError``)."""
    if len(values) and max(int(values.max()), -int(values.min())) > limit:
        raise MedflError(
            f"encryption: a whole number is above {limit} in size, so that the sum of "
            f"{settings.clients} could wrap around: take a coarser grid or smaller weights."
        )


def encrypt(context: Any, blocks: Integers, checks: Integers) -> list[bytes]:
    """The serialised ciphertext of each block with its check slots."""
    import tenseal

    numbers = np.concatenate([blocks, checks], axis=1).astype(np.float64)
    return [tenseal.ckks_vector(context, row).serialize() for row in numbers]


def decrypt(context: Any, pieces: list[bytes], settings: CkksSettings) -> tuple[Integers, Integers]:
    """The whole numbers of ciphertexts, (m, k), and of their check slots, (m, 4).

    They are rounded, so that nothing of the encryption's noise leaves: what CKKS decrypts to, noise
    and all, must not be published (Li and Micciancio, Eurocrypt 2021).
    """
    numbers = np.empty((len(pieces), settings.degree // 2), np.int64)
    for row, piece in zip(numbers, pieces, strict=True):
        row[:] = np.rint(read_ciphertext(context, piece, settings).decrypt())
    return numbers[:, : -len(CHECKS)], numbers[:, -len(CHECKS) :]


def read_ciphertext(context: Any, piece: bytes, settings: CkksSettings) -> Any:
    """A ciphertext (``MedflError`` where the bytes are none, or of other parameters)."""
    import tenseal

    try:
        found = tenseal.ckks_vector_from(context, piece)
        inner = found.ciphertext()
    except _DAMAGES as error:
        raise MedflError(_DAMAGED) from error
    # TenSEAL takes a vector without a ciphertext, and crashes the process where it adds it; with
    # one of another form or scale, none of the others' can be added to it any more.
    if found.size() != settings.degree // 2 or len(inner) != 1 or not _fresh(inner[0], settings):
        raise MedflError(_DAMAGED)
    return found


def _fresh(inner: Any, settings: CkksSettings) -> bool:
    """Whether SEAL's ciphertext has the form of one that was just encrypted, as sums have it."""
    return bool(
        inner.size() == 2
        and inner.poly_modulus_degree() == settings.degree
        and inner.coeff_modulus_size() == len(settings.modulus_bits) - 1
        and inner.is_ntt_form()
        and inner.scale == 2.0**settings.unit_bits
    )


def pack_ciphertexts(pieces: list[bytes], settings: CkksSettings) -> bytes:
    """How many ciphertexts there are, and each behind its length, filled up to the same size."""
    room, filled = settings.ciphertext_bytes - _LENGTH.size, []
    for piece in pieces:
        if len(piece) > room:
            raise MedflError(f"encryption: a ciphertext has {len(piece)} bytes, above {room}.")
        filled += [_LENGTH.pack(len(piece)), piece, bytes(room - len(piece))]
    return b"".join([_LENGTH.pack(len(pieces)), *filled])


def unpack_ciphertexts(
    payload: memoryview, settings: CkksSettings
) -> tuple[list[bytes], memoryview]:
    """The ciphertexts of a payload, and what stands behind them (``MedflError`` if cut short)."""
    if len(payload) < _LENGTH.size:
        raise MedflError(_SHORT)
    (count,) = _LENGTH.unpack(payload[: _LENGTH.size])
    size, pieces = settings.ciphertext_bytes, []
    end = _LENGTH.size + count * size
    if len(payload) < end:
        raise MedflError(_SHORT)
    for start in range(_LENGTH.size, end, size):
        (length,) = _LENGTH.unpack(payload[start : start + _LENGTH.size])
        if length > size - _LENGTH.size:
            raise MedflError(_DAMAGED)
        pieces.append(bytes(payload[start + _LENGTH.size : start + _LENGTH.size + length]))
    return pieces, payload[end:]
