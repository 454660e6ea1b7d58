"""What may be masked."""

from __future__ import annotations

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.sealed.ring import RingVector, ring_dtype


def checked_ring_vector(vector: object, bits: int) -> RingVector:
    """``vector``, (d,), if it is one of the ring (``MedflError`` where it is not).

    Floating-point masks hide nothing reliably: their sums round, and their size shows.
    """
    dtype = ring_dtype(bits)
    if not isinstance(vector, np.ndarray) or vector.dtype != dtype or vector.ndim != 1:
        found = (
            f"{vector.dtype} of shape {vector.shape}"
            if isinstance(vector, np.ndarray)
            else type(vector).__name__
        )
        raise MedflError(
            f"what is masked must be a NumPy vector of {dtype.name}, not {found}: bring it to "
            "whole numbers with `FixedPoint` first."
        )
    if not vector.size:
        raise MedflError("what is masked must have at least one entry.")
    return vector
