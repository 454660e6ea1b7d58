"""The hash by which all know that they have the same global model."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from medfl.errors import MedflError

if TYPE_CHECKING:
    from torch import Tensor

HASH_BYTES = 32


def hash_of_model(*vectors: bytes | memoryview) -> bytes:
    """SHA-256 of a global model as a client received it.

    Args:
        vectors: its parameters and its buffers, as bytes (of a NumPy array: ``array.data``).

    Raises:
        MedflError: one is no bytes.
    """
    digest = hashlib.sha256(b"medfl model")
    for vector in vectors:
        try:
            view = memoryview(vector)
        except TypeError as error:
            raise MedflError(
                "the hash of a model is of bytes, such as `array.data`, not of type "
                f"{type(vector).__name__}."
            ) from error
        digest.update(struct.pack("<Q", view.nbytes))
        digest.update(view)
    return digest.digest()


def hash_of_tensors(*tensors: Tensor) -> bytes:
    """``hash_of_model`` of a model's vectors, on whichever device they are."""
    return hash_of_model(*(one.detach().cpu().contiguous().numpy().data for one in tensors))
