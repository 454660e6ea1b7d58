"""Where files lie below the current folder, unless a person says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

RAW_ROOT = "data"
WORK_ROOT = "data"  # holds prepared/, and what medfl generates or downloads
SPLITS_DIR = "data/splits"
OUTPUT_DIR = "results"
ARMS_FILE = "params/algorithms.yaml"
DEFAULT_GRID = "params/default.yaml"


def data_root(given: str | os.PathLike[str] | None = None) -> Path:
    """Where raw data lies: the argument, else ``MEDFL_DATA``, else ``data``."""
    return Path(given or os.environ.get("MEDFL_DATA") or RAW_ROOT)


def prepared_dir(work_root: str | os.PathLike[str]) -> Path:
    """The folder of the stores: ``<work_root>/prepared``."""
    return Path(work_root, "prepared")
