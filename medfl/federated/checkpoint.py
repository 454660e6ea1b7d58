"""A run's state on disk, so that a killed run goes on to the same bits."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from medfl.files import atomic_path

NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint of a run folder, atomically."""
    # Through Python's own file, so that a full disk is the OSError that atomic_path explains.
    with atomic_path(folder / NAME) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def load(folder: Path, fingerprint: str, device: torch.device) -> dict[str, Any] | None:
    """The checkpoint of a run folder, or None where there is none for this very run.

    A checkpoint of another configuration, code or data is not resumed, and neither is one that
    cannot be read.
    """
    try:
        state = torch.load(folder / NAME, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError):
        return None
    return state if state.get("fingerprint") == fingerprint else None


def remove(folder: Path) -> None:
    """Forget the checkpoint of a finished run."""
    (folder / NAME).unlink(missing_ok=True)
