"""Reads archives of arrays (``.npz``); whatever is wrong with one is of two kinds of errors."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from medfl.errors import Reason, failure
from medfl.files.regular import regular


def read_arrays(path: str | os.PathLike[str], names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of an archive by name: those of ``names`` that it has, or all where none is named.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or no such archive; NumPy, zipfile and zlib raise any for it.
        MemoryError: memory has ended, and the file is not to blame.
    """
    with open(path, "rb", opener=regular) as source:
        try:
            file = np.load(source, allow_pickle=False)
            if not isinstance(file, NpzFile):
                raise Reason("it is no archive of arrays")
            with file:
                found = names or file.files
                return {name: _array(file, name) for name in found if name in file.files}
        except Exception as error:
            if isinstance(error, OSError) and error.errno:  # of the disk
                raise
            raise Reason(failure(error)) from error


def _array(file: NpzFile, name: str) -> NDArray[Any]:
    """An array of an archive.

    NumPy reads the head of each array anew, which takes longer than all else of a small one. Files
    of one grid share their heads. What is not laid out as ``np.savez`` does is NumPy's to read, and
    to refuse.
    """
    with suppress(Exception):
        assert file.zip is not None
        data = file.zip.read(f"{name}.npy")
        begins = 10 + int.from_bytes(data[8:10], "little")
        shape, order, kind = _head(data[:begins])
        if not kind.hasobject:
            flat = np.frombuffer(bytearray(data), kind, math.prod(shape), begins)
            return flat.reshape(shape, order=order)
    found: NDArray[Any] = file[name]
    return found


@lru_cache(maxsize=1024)
def _head(head: bytes) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Shape, order and kind of an array, as the first bytes of its file say."""
    file = io.BytesIO(head)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("a later layout")
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
    return shape, "F" if by_column else "C", kind
