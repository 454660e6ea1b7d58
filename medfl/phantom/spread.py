"""Simulate patients in several processes: in threads Python would do it one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files.processes import map_isolated

Write = Callable[[Path, int, int], Any]
"""Writes the files of a patient: the folder, the seed, which one."""


def simulated(
    write: Write, folder: Path, seed: int, patients: int, processes: int | None = None
) -> list[Any]:
    """Call ``write`` for each patient.

    Args:
        write: what writes a patient, whatever the others are.
        folder: where to.
        seed: of all patients.
        patients: how many there are.
        processes: how many at the most share the work, to the same files; else one for each core.

    Returns:
        What ``write`` said of each patient, in order.

    Raises:
        MedflError: a process has ended by itself.
    """

    def lost(number: int, _: str) -> None:
        raise MedflError(
            f"a process that simulated patient {number} has ended by itself, perhaps for want of "
            "memory: give the same command again."
        )

    numbers = range(patients)
    write_one = partial(write, folder, seed)
    return list(map_isolated(write_one, numbers, "simulating", lost, processes, unit="patient"))
