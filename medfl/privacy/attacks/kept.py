"""Results of an attack's parts, each in a file of its own, so that a killed attack goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.files import atomic_path
from medfl.files.arrays import read_arrays

KeptArrays = dict[str, Any]


class KeptParts:
    """A folder of arrays by name; each belongs to the settings that it was made with.

    Args:
        folder: the folder.
        settings: all that decides the numbers; with others every part is made again.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(settings, sort_keys=True, default=str)
        self._key = hashlib.sha256(text.encode()).hexdigest()

    def get(self, name: str, make: Callable[[], KeptArrays]) -> KeptArrays:
        """The arrays of a part: from its file, or made and put there."""
        path = self.folder / f"{name}.npz"
        if path.is_dir():  # before all of the work, and not after it
            raise MedflError(f"{path} is a folder, where a file of the attack lies: move it.")
        found = self._read(path)
        if found is None:
            found = make()
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, key=np.array(self._key), sha256=np.array(_digest(found)), **found)
        return found

    def _read(self, path: Path) -> KeptArrays | None:
        """What a file holds; None where it is missing, damaged or of other settings."""
        try:
            found = dict(read_arrays(path))
        except (OSError, ValueError):
            return None
        key, digest = str(found.pop("key", "")), str(found.pop("sha256", ""))
        return found if (key, digest) == (self._key, _digest(found)) else None


def _digest(arrays: KeptArrays) -> str:
    """SHA-256 of some arrays and their names: a part that lacks one is another result."""
    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        array = np.asarray(value)
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()
