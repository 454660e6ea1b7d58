"""Descriptions as they were when the running grid was started.

Each start of a grid copies the descriptions that it uses beside the grid that its jobs read
(MEDFL_GRID), so that an edit meanwhile counts for the next start only.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

GRID = "MEDFL_GRID"
COPIES = "descriptions"  # a folder beside the grid's file


def fixed(path: Path) -> Path:
    """The copy of a description that the running grid has made, else the description itself."""
    grid = os.environ.get(GRID)
    copy = Path(grid).parent / COPIES / copy_name(path) if grid else path
    return copy if copy.is_file() else path


def copy_name(path: Path) -> str:
    """The name of a description's copy, which says where the description lies."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16] + path.suffix
