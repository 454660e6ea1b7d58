"""Answers the rules `tune`, `choose` and `tuning`: the searches of a grid as file names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.federated.stale import code_of_numbers, is_stale
from medfl.files import read_yaml
from medfl.grid import Cell, GridConfig
from medfl.results import paths
from medfl.sources import source_sha
from medfl.tuning.choose import CHOICE, chosen_path, point_folder, read_chosen, tuned_run
from medfl.tuning.search import point_config, points_of, search_sha, tuned_on
from medfl.tuning.space import Values


@dataclass(frozen=True, eq=False)
class TuningJobs:
    """The searches of a grid; there are none where it is not tuned.

    Attributes:
        grid: the grid.
        trained: its cells → the run that stands in each.
    """

    grid: GridConfig
    trained: Mapping[Cell, Cell]
    _configs: dict[tuple[Cell, int], FederatedConfig] = field(default_factory=dict, repr=False)
    _points: dict[tuple[str, str, str], list[Values]] = field(default_factory=dict, repr=False)

    @cached_property
    def searched(self) -> list[Cell]:
        """The runs on whose folds values are searched."""
        if self.grid.tune is None:
            return []
        return list(dict.fromkeys(tuned_on(self.grid, run) for run in self.trained.values()))

    @property
    def in_use(self) -> bool:
        """Whether values are tuned, or were before in these results."""
        return self.grid.tune is not None or Path(self.grid.output_dir, paths.TUNING).is_dir()

    @property
    def files(self) -> list[str]:
        """What is chosen, of every search."""
        return [str(chosen_path(self.grid, cell, self.grid.output_dir)) for cell in self.searched]

    def chosen(self, cell: Cell) -> list[str]:
        """The file from which a run gets its values."""
        if self.grid.tune is None:
            return []
        return [str(chosen_path(self.grid, cell, self.grid.output_dir))]

    def points(self, cell: Cell) -> list[str]:
        """The record of each point of a search."""
        assert self.grid.tune is not None
        return [self.record(cell, number) for number in range(1, self.grid.tune.points + 1)]

    def splits(self, cell: Cell) -> list[str]:
        """The splits that a choice compares: those of all seeds that share the chosen values."""
        sharing = [one for one in self.trained.values() if tuned_on(self.grid, one) == cell]
        return list(dict.fromkeys(str(self.grid.split_path(one)) for one in sharing))

    def record(self, cell: Cell, number: int) -> str:
        """The record of a point, counted from 1."""
        return str(point_folder(self.grid.output_dir, cell, number) / paths.RECORD)

    def settings(self, cell: Cell, number: int) -> str:
        """Hash of all settings that decide the run of a point."""
        return fingerprint(self._config(cell, number))

    def code(self, cell: Cell, number: int) -> str:
        """The code of the run of a point."""
        return code_of_numbers(
            Path(self.record(cell, number)), run_code(self._config(cell, number))
        )

    def is_stale(self, cell: Cell, number: int, inputs: Mapping[str, str]) -> bool:
        """Whether a finished point is not that of this search, which Snakemake may not know."""
        record, sha256 = Path(self.record(cell, number)), self.settings(cell, number)
        return is_stale(record, self._config(cell, number), sha256, inputs)

    def search(self, cell: Cell) -> str:
        """What decides a choice: its results version, and the hash of what is searched."""
        return f"choice {CHOICE}, search {search_sha(self.grid, cell)}"

    def choice_is_stale(self, cell: Cell) -> bool:
        """Whether a choice is not that of this search, which Snakemake may not know."""
        (path,) = self.chosen(cell)
        if not Path(path).exists():
            return False
        try:
            read_chosen(self.grid, cell, path)
        except MedflError:
            return True
        return False

    def run(self, cell: Cell) -> tuple[FederatedConfig, dict[str, str]] | None:
        """A run with its chosen values, and the hash of their file; None before they are chosen."""
        try:
            config, tuning = tuned_run(self.grid, cell)
        except MedflError:
            return None
        return config, ({"tuned_sha256": tuning[0]} if tuning else {})

    @property
    def table_code(self) -> str:
        """Hash of the sources of table and curves."""
        return source_sha("medfl.tuning.curves", "medfl.report.plots.best_of_k")

    def _config(self, cell: Cell, number: int) -> FederatedConfig:
        key = (cell, number)
        if key not in self._configs:
            place = (cell.dataset, cell.partition, cell.arm)
            if place not in self._points:  # all seeds have the same ones
                self._points[place] = points_of(self.grid, cell)
            values = self._points[place][number - 1]
            self._configs[key] = point_config(self.grid, cell, values)
        return self._configs[key]


def unversioned(grid: GridConfig, stage: str, file: str | Path = "dvc.yaml") -> list[str]:
    """A line on searches that a stage of DVC leaves out beside the runs; none where all is well.

    Args:
        grid: the grid that the stage makes.
        stage: its name, which DVC gives its command; empty where DVC is not at work.
        file: where its outs stand.
    """
    if grid.tune is None or not stage or not Path(file).exists():
        return []
    content = read_yaml(file)
    stages = content.get("stages") if isinstance(content, dict) else None
    found = stages.get(stage) if isinstance(stages, dict) else None
    outs = (found.get("outs") if isinstance(found, dict) else None) or []
    named = {str(path) for one in outs for path in (one if isinstance(one, dict) else [one])}
    runs, searches = (str(Path(grid.output_dir, part)) for part in (paths.RUNS, paths.TUNING))
    if runs not in named or searches in named:
        return []
    return [
        f"{file} versions {runs} and not {searches}, so who pulls these results would search all "
        f"values again: add it to the outs of the stage `{stage}` (docs/tuning.md)"
    ]
