"""The runs that a grid asks for, and the points of the searches before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medfl.config import FederatedConfig
from medfl.federated.fingerprint import fingerprint
from medfl.grid import Cell, GridConfig
from medfl.grid.shared import runs_of
from medfl.results import paths
from medfl.tuning.choose import point_folder
from medfl.tuning.search import point_config, points_of, tuned_on

RunKind = tuple[str, str]
HashedConfig = tuple[FederatedConfig, str]


@dataclass(frozen=True)
class Planned:
    """A run that a grid asks for, or a point of a search before it.

    Attributes:
        name: what it is called, such as ``phantom/iid/fedavg/seed0``.
        cell: where it stands in the grid; runs of one dataset and arm take about as long.
        folder: where it lies.
        log: what its job says.
        config: its settings; of a tuned run all but the values that are still to be chosen.
        sha256: the hash of its settings; empty where they are still to be chosen.
    """

    name: str
    cell: Cell
    folder: Path
    log: Path
    config: FederatedConfig
    sha256: str

    @property
    def kind(self) -> RunKind:
        """Whose runs take about as long."""
        return self.cell.dataset, self.cell.arm


def hashed_config(grid: GridConfig, cell: Cell) -> HashedConfig:
    """A run, with what is shipped in place of tuned values, and the hash of its settings."""
    config = grid.run_config(cell)
    return config, fingerprint(config)


def planned_runs(
    grid: GridConfig, results: str | Path, hashed: Callable[[Cell], HashedConfig] | None = None
) -> list[Planned]:
    """The runs of a grid, seed by seed as they are trained, and before them those of searches.

    Args:
        grid: a grid.
        results: where its results lie.
        hashed: ``hashed_config`` of a run, by one who remembers it.
    """
    hashed = hashed or partial(hashed_config, grid)
    trained = dict.fromkeys(runs_of(grid).values())
    cells = sorted(trained, key=lambda cell: grid.seeds.index(cell.seed))
    logs = Path(results, paths.LOGS)
    found = []
    for cell in dict.fromkeys(tuned_on(grid, cell) for cell in cells) if grid.tune else ():
        for number, values in enumerate(points_of(grid, cell), 1):
            name = f"{cell}/{paths.POINT.format(point=number)}"
            config, log = point_config(grid, cell, values), logs / "tune" / f"{name}.log"
            place = point_folder(results, cell, number)
            found.append(_planned(cell, name, place, log, config, fingerprint(config)))
    for cell in cells:
        config, sha256 = hashed(cell)
        sha256 = "" if grid.tune else sha256
        log = logs / "train" / f"{cell}.log"
        found.append(_planned(cell, str(cell), cell.folder(results), log, config, sha256))
    return found


def _planned(
    cell: Cell, name: str, folder: Path, log: Path, config: FederatedConfig, sha256: str
) -> Planned:
    return Planned(name, cell, folder, log, config, sha256)
