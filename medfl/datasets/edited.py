"""Whether a store was made by the description that its dataset has now."""

from __future__ import annotations

import os
import time
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.files import read_json, write_text
from medfl.store import DATASET, PREPARATION


def describes(path: Path, dataset: Dataset, places: Places) -> bool:
    """Whether the store at ``path`` was made by the description that its dataset has now.

    A dataset of the catalog has no description that could differ. Where the description's table is
    not here now, as on another machine, the store stands if the rest is the same.
    """
    wanted = dataset.description_sha(places)
    record = read_json(path / PREPARATION)
    settings = record.get("settings")
    made_by = str(settings.get("description", "")) if isinstance(settings, dict) else ""
    return made_by.startswith(wanted) if wanted else not made_by


def stamp(path: Path, dataset: Dataset, places: Places, file: Path) -> Path | None:
    """Make ``file`` newer than the store at ``path`` if its description was edited, else older.

    Snakemake goes by such times where it does not know how a store was made.

    Returns:
        ``file``; None for a dataset of the catalog, which no description makes.
    """
    if dataset.description_sha(places) == "":
        return None
    if (path / DATASET).exists() and not describes(path, dataset, places):
        write_text(file, f"{time.time_ns()}\n")  # the same content would pass for old
        return file
    if not file.exists():
        write_text(file, "0\n")
    os.utime(file, (0, 10**9))  # in 2001: older than any store
    return file
