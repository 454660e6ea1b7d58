"""A run's state on disk, from which a killed run goes on and ends with the same bits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from medfl.files import atomic_path

log = logging.getLogger(__name__)
NAME = "checkpoint.pt"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint of a run folder, atomically."""
    # torch.save gets Python's own file: a full disk then is the OSError that atomic_path explains.
    with atomic_path(folder / NAME) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def read(folder: Path, fingerprint: str, device: torch.device) -> dict[str, Any] | None:
    """Read the checkpoint of a run folder; None where it holds none of this very run.

    A checkpoint of another configuration, code or data is not resumed, and neither is one that
    cannot be read.
    """
    path = folder / NAME
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if state["fingerprint"] == fingerprint:
            return state
        log.warning(
            "%s was made with other settings, code or data: starting from the first round", path
        )
    except FileNotFoundError:
        pass
    except Exception:  # torch and pickle raise any exception on a damaged file
        log.warning("%s cannot be read: starting from the first round", path)
    return None


def remove(folder: Path) -> None:
    """Forget the checkpoint of a finished run."""
    (folder / NAME).unlink(missing_ok=True)
