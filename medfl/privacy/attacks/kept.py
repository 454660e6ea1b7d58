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
from medfl.files.memory import end_without_memory
from medfl.files.regular import regular

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
                np.savez(file, key=np.array(self._key), **found)
        return found

    def _read(self, path: Path) -> KeptArrays | None:
        """What a file holds; None where it is missing, damaged or of other settings."""
        try:
            with (
                open(path, "rb", opener=regular) as source,
                np.load(source, allow_pickle=False) as file,
            ):
                if str(file["key"]) != self._key:
                    return None
                return {name: file[name] for name in file.files if name != "key"}
        except Exception as error:  # NumPy, zipfile and zlib raise any on a file of another kind
            end_without_memory(error)
            return None
