"""Reads archives of arrays (``.npz``); whatever is wrong with one is of two kinds of errors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

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
                return {name: file[name] for name in names or file.files if name in file.files}
        except Exception as error:
            if isinstance(error, OSError) and error.errno:  # of the disk
                raise
            raise Reason(failure(error)) from error
