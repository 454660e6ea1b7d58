"""Refuses work that draws from random generators of the process, which each worker has anew."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from medfl.errors import MedflError


@contextmanager
def drawing_nothing() -> Iterator[None]:
    """Refuse draws from the generators that PyTorch, NumPy and Python have for a whole process.

    ``LayerStream`` puts PyTorch's back, so layers may draw.

    Raises:
        MedflError: something was drawn while the block ran.
    """
    before = _states()
    yield
    after = _states()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        raise MedflError(
            f"something draws from {' and '.join(moved)}'s own random generator while clients "
            "train side by side, so that the result would depend on who trains before: draw from "
            "a generator of its own for each client and round, or set `training.workers: 1`."
        )


def _states() -> dict[str, Any]:
    of_numpy: Any = np.random.get_state()  # noqa: NPY002 - what is drawn from is asked
    kind, numbers, *rest = of_numpy
    return {
        "PyTorch": torch.default_generator.get_state().numpy().tobytes(),
        "NumPy": (kind, numbers.tobytes(), *rest),
        "Python": random.getstate(),
    }
