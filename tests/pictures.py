"""Small picture files, made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def grey(path: str | Path, value: int, shape: tuple[int, int] = (10, 8)) -> Path:
    """A uniform PNG."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path
