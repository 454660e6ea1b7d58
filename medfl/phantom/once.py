"""Simulate unless the files are there already; one process does it, others wait."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from medfl.files.regular import read_text
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
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not _is_complete(folder, recipe, pattern, counted):
            write(folder, recipe)


def _is_complete(folder: Path, recipe: Any, pattern: str, counted: str) -> bool:
    try:
        made = yaml.safe_load(read_text(folder / RECIPE))
    except (OSError, yaml.YAMLError):
        return False
    if not isinstance(made, dict) or any(made.get(k) != v for k, v in vars(recipe).items()):
        return False
    return sum(1 for _ in folder.glob(pattern)) == made.get(counted)
