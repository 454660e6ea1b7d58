"""Simulate unless the files are there already; one process does it, others wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from medfl.errors import MedflError
from medfl.files import read_yaml, take_lock
from medfl.phantom.writer import RECIPE

AnyRecipe = TypeVar("AnyRecipe")


def simulate_once(
    folder: Path,
    recipe: AnyRecipe,
    write: Callable[[Path, AnyRecipe], Any],
    pattern: str,
    counted: str,
) -> None:
    """Let ``write`` fill ``folder``, unless the same recipe has filled it before.

    Args:
        folder: where the simulated files go.
        recipe: a dataclass of numbers.
        write: fills the folder; its recipe file says how many there are.
        pattern: which of the files are counted.
        counted: under which key the recipe file states their number.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Jobs for two sizes share the raw folder. The lock is free when the file is closed, or we die.
    lock = take_lock(folder.parent / f".{folder.name}.lock", wait=True)
    try:
        if not _is_complete(folder, recipe, pattern, counted):
            write(folder, recipe)
    finally:
        if lock is not None:
            os.close(lock)


def _is_complete(folder: Path, recipe: Any, pattern: str, counted: str) -> bool:
    try:
        made = read_yaml(folder / RECIPE)
    except MedflError:
        return False
    if not isinstance(made, dict) or any(made.get(k) != v for k, v in vars(recipe).items()):
        return False
    return sum(1 for _ in folder.glob(pattern)) == made.get(counted)
