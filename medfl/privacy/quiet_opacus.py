"""Imports parts of Opacus, which would set up the process's logging when it is imported."""

from __future__ import annotations

import importlib
import logging
from typing import Any


def import_opacus(module: str) -> Any:
    """Import ``opacus.<module>``, and leave the root logger as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        return importlib.import_module(f"opacus.{module}")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
