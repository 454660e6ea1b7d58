"""Whether the pixels of a store are those that were prepared: read once for a state of the file."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from medfl.errors import MedflError
from medfl.files import load_json, sha256_file, write_text

# A smaller file is read every time: that takes less than a tenth of a second.
NOTED_BYTES = 2**26


def check_images(path: Path, digest: str, again: str, wholly: bool = False) -> None:
    """Compare the SHA-256 of a file of images with the one that its store states.

    A large file whose size, times and place on this machine are those of the last comparison is
    not read again, unless ``wholly``: the comparison is noted in the user's folder for caches.

    Raises:
        MedflError: they differ.
    """
    status = path.stat()
    state = [digest, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    state += [status.st_ino, status.st_dev, os.uname().nodename]
    note = _notes() / f"{status.st_dev}-{status.st_ino}.json"
    with suppress(OSError, ValueError):
        if not wholly and load_json(note) == state:
            return
    if sha256_file(path) != digest:
        raise MedflError(
            f"{path} is not what was prepared (its SHA-256 differs from the one in dataset.yaml). "
            f"{again}"
        )
    if status.st_size >= NOTED_BYTES:
        with suppress(OSError, MedflError):  # then it is read again the next time
            write_text(note, json.dumps(state))


def _notes() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):
        root = root or str(Path.home() / ".cache")
    return Path(root or tempfile.gettempdir(), "medfl", "verified")
