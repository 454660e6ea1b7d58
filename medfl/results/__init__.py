"""The files of runs and grids: where they lie, their columns, and the record of a run.

The engine writes results by this room, and the report reads them by it. The room imports neither.
``medfl.results.load("results")`` gives results as pandas tables.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medfl.config import OUTPUT_DIR

if TYPE_CHECKING:
    from medfl.results.frames import Frames

__all__ = ["load"]


def load(results: str | os.PathLike[str] = OUTPUT_DIR) -> Frames:
    """The finished runs under a folder of results, as tables: runs, rounds, clients, predictions.

    Raises:
        MedflError: where there is no finished run, or a record cannot be read.
    """
    # Only here: to import pandas takes longer than a command may take to start.
    from medfl.results.frames import Frames
    from medfl.results.runs import read_all_runs

    return Frames(read_all_runs(results))
