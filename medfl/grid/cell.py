"""Where a run stands in its grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medfl.results import paths


@dataclass(frozen=True, order=True)
class Cell:
    """One run of a grid."""

    dataset: str
    partition: str
    arm: str
    seed: int

    def __str__(self) -> str:
        return paths.RUN.format(**vars(self))

    def folder(self, output_dir: str | Path) -> Path:
        """Where the run lies under ``output_dir``."""
        return paths.run_folder(output_dir, self)
