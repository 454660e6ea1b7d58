"""What a run and a grid leave behind: the files, their columns, the record.

The engine writes results with this room, and the report reads them with it. It knows neither.
``medfl.results.load("results")`` gives them as pandas tables.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medfl.results.frames import Frames

__all__ = ["load"]


def load(results: str | os.PathLike[str] = "results") -> Frames:
    """The finished runs under a folder of results, as tables: runs, rounds, clients, predictions.

    Raises:
        MedflError: where there is none, or a record cannot be read.
    """
    # pandas takes longer to import than a command may take to start.
    from medfl.results.frames import Frames
    from medfl.results.runs import read_all_runs

    return Frames(read_all_runs(results))
