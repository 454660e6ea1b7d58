"""What own code draws from the generators that Python and NumPy have for a whole process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def seed_both(seed: int) -> None:
    """Seed both; medfl itself never draws there."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - own code draws there


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Run a block whose draws ``seed`` decides; afterwards both stand where they stood before."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed_both(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
