"""A run's state on disk, from which a killed run goes on and ends with the same bits.

``checkpoint.pt`` is what ``torch.save`` writes, and behind it the SHA-256 of these bytes. Clients'
states that are on the disk stay in their file, and the checkpoint says where in it they lie.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from medfl.errors import MedflError
from medfl.federated import client_state
from medfl.federated.client_state import ClientStates
from medfl.federated.state_file import Stored
from medfl.files import atomic_path, sha256_file
from medfl.files.memory import end_without_memory
from medfl.files.regular import regular
from medfl.results import paths

log = logging.getLogger(__name__)
NAME, ASIDE = paths.CHECKPOINT, "checkpoint.set-aside.pt"
FILES = (NAME, ASIDE, client_state.NAME, client_state.ASIDE)
_MARK = b"medfl checkpoint, sha256 "
_PLAIN = (bool, int, float, complex, str, type(None))
# The keys by which `read` knows what was of NumPy.
_ARRAY, _NUMBER = "medfl: a NumPy array", "medfl: a NumPy number"
_STORED = "medfl: a place on the disk"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint of a run folder, atomically, and onto the disk.

    Raises:
        MedflError: the state holds what no checkpoint can, or the disk is full.
    """
    content = _encoded(state, ())
    # torch.save gets Python's own file: a full disk then is the OSError that atomic_path explains.
    with atomic_path(folder / NAME, durable=True) as temporary:
        with temporary.open("wb") as file:
            torch.save(content, file)
        digest = sha256_file(temporary)
        with temporary.open("ab") as file:
            file.write(_MARK + digest.encode())


def read(
    folder: Path, fingerprint: str, device: torch.device, states: ClientStates | None = None
) -> dict[str, Any] | None:
    """Read the checkpoint of a run folder; None where it holds none of this very run.

    A checkpoint of another configuration, code or data is not resumed, and neither is one whose
    bytes, or those in the file of the clients' ``states``, are not what was written. It is set
    aside, under ``ASIDE``, until the run ends, and that file with it.
    """
    for name in FILES:  # it could not be removed at the end, after all of the training
        if (folder / name).is_dir():
            raise MedflError(f"{folder / name} is a folder, where a file of the run lies: move it.")
    path = folder / NAME
    if not path.exists():
        return None
    try:
        problem = None if _whole(path) else "is damaged: its bytes are not those that were written"
        if problem is None:
            state = torch.load(path, map_location=device, weights_only=True)
            if state["fingerprint"] == fingerprint:
                found: dict[str, Any] = _decoded(state, states)
                return found
            problem = "was made with other settings, code or data"
    except MedflError as error:
        problem = f"cannot be gone on from ({str(error).rstrip('.')})"
    except Exception as error:  # torch and pickle raise any on a file of another kind
        end_without_memory(error)
        problem = "cannot be read"
    kept = ""
    try:
        os.replace(path, folder / ASIDE)
        if states:
            states.set_aside()
        kept = f" It is kept as {ASIDE} until this run ends."
    except OSError:  # its folder is another's: the run notices it when it writes
        pass
    log.warning("%s %s: starting from the first round.%s", path, problem, kept)
    return None


def remove(folder: Path) -> None:
    """Forget the checkpoint of a finished run, and what was set aside."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def _whole(path: Path) -> bool:
    """Whether a file holds what ``write`` wrote, down to the last bit."""
    length = len(_MARK) + 64
    size = path.stat().st_size - length
    if size < 0:
        return False
    with open(path, "rb", opener=regular) as file:
        digest = hashlib.sha256()
        while size > 0 and (part := file.read(min(size, 1 << 20))):
            digest.update(part)
            size -= len(part)
        return file.read() == _MARK + digest.hexdigest().encode()


def _encoded(value: Any, place: tuple[str, ...]) -> Any:
    """``value`` as torch reads it back without running code: NumPy's values go as their bytes."""
    if type(value) in (Tensor, Parameter, *_PLAIN):
        return value
    if type(value) in (dict, OrderedDict):
        return type(value)(
            (_key(k, place), _encoded(v, (*place, str(k)))) for k, v in value.items()
        )
    if type(value) in (list, tuple):
        return type(value)(_encoded(part, place) for part in value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcSU":
        kind = _ARRAY if isinstance(value, np.ndarray) else _NUMBER
        return {kind: [value.tobytes().decode("latin-1"), value.dtype.str, list(value.shape)]}
    if isinstance(value, Stored):
        return {_STORED: value.description()}
    raise _unfit(value, place)


def _key(key: Any, place: tuple[str, ...]) -> Any:
    key = key.item() if isinstance(key, np.generic) else key
    if type(key) not in (*_PLAIN, tuple):
        raise _unfit(key, place)
    return key


def _unfit(value: Any, place: tuple[str, ...]) -> MedflError:
    return MedflError(
        f"no checkpoint can hold a `{type(value).__name__}`, which stands in the state "
        f"`{'.'.join(place)}`: keep tensors, NumPy arrays, numbers and texts there, and lists, "
        "tuples and dictionaries of them."
    )


def _decoded(value: Any, states: ClientStates | None) -> Any:
    """What ``_encoded`` was given."""
    if type(value) in (dict, OrderedDict):
        if states and list(value) == [_STORED]:
            return states.file.adopt(value[_STORED])
        for kind in (_ARRAY, _NUMBER):
            if list(value) == [kind]:
                content, dtype, shape = value[kind]
                array = np.frombuffer(content.encode("latin-1"), dtype).reshape(shape).copy()
                return array if kind == _ARRAY else array[()]
        return type(value)((key, _decoded(part, states)) for key, part in value.items())
    if type(value) in (list, tuple):
        return type(value)(_decoded(part, states) for part in value)
    return value
