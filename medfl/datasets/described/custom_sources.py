"""What a person's own class may give as an image, beside a file: an array, or a function."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from medfl.datasets.described.decode import Reader
from medfl.errors import MedflError, own_code
from medfl.own_draws import drawing

_CALLING = threading.Lock()


@dataclass(frozen=True)
class ArraySource:
    """An array as a source, whose ``repr`` says what is in it."""

    values: np.ndarray
    digest: str

    def __repr__(self) -> str:
        return f"Array({self.values.shape}, {self.digest})"


@dataclass(frozen=True)
class CallSource:
    """A function of a person's own, which gives an array when it is wanted."""

    function: Callable[[], np.ndarray]
    number: int
    name: str

    def __repr__(self) -> str:
        return f"Call({self.number})"


@dataclass(frozen=True)
class Open:
    """Opens what is no file before ``reader`` decodes it; without one, arrays are finished."""

    reader: Reader | None
    size: int

    def __call__(self, source: Any) -> np.ndarray:
        """Decode a source as ``Reader`` does."""
        parts = [_open(part) for part in (source if isinstance(source, tuple) else (source,))]
        if self.reader is not None:
            return self.reader(tuple(parts) if isinstance(source, tuple) else parts[0])
        array = parts[0]
        if not isinstance(array, np.ndarray) or array.ndim not in (3, 4):
            raise MedflError("with `preprocess = None`, an image must be an array (C, size, size).")
        if array.dtype not in (np.uint8, np.int16) or set(array.shape[1:]) != {self.size}:
            raise MedflError(
                f"with `preprocess = None`, an image must be uint8 or int16 of (C, {self.size}, "
                f"{self.size}), not {array.dtype} of {array.shape}."
            )
        return array


def _open(part: Any) -> Any:
    if isinstance(part, ArraySource):
        return part.values
    if isinstance(part, CallSource):
        # One at a time: the current folder and two generators are those of the whole process.
        with _CALLING, own_code(f"{part.name} failed", private=True), drawing(part.number):
            return np.asarray(part.function())
    return part
