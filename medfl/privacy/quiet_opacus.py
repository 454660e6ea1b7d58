"""Imports parts of Opacus, which would set up the process's logging when it is imported."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from threading import Lock
from typing import Any

_one_at_a_time = Lock()


@cache  # setting a level makes every logger forget what it knows, and steps ask again and again
def import_opacus(module: str) -> Any:
    """Import ``opacus.<module>``, and leave the root logger as it was."""
    root = logging.getLogger()
    with _one_at_a_time:  # clients that train side by side would restore what another import set
        handlers, level = list(root.handlers), root.level
        try:
            return importlib.import_module(f"opacus.{module}")
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
