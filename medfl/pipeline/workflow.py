"""Answers the Snakefile: the checked grid as file names, and the parameters of each rule.

Snakemake decides what runs; this says what there is to run. The parameters of a rule hold all that
makes its outputs stale: the code, by its hash or its results versions, and the settings. So
Snakemake makes again what an edit touches and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import FederatedConfig, SplitConfig, data_root
from medfl.datasets.base import Places
from medfl.datasets.code import dataset_sha
from medfl.datasets.described.fixed import GRID
from medfl.datasets.edited import stamp
from medfl.datasets.place import store_path
from medfl.datasets.registry import parse_dataset
from medfl.disclosure.published_sets import minimum_cell
from medfl.errors import MedflError, naming
from medfl.federated.code import run_code
from medfl.federated.fingerprint import fingerprint
from medfl.federated.stale import code_of_numbers, inputs_now, is_stale
from medfl.files import sha256_file
from medfl.gpu import jobs_per_gpu, visible_gpus
from medfl.grid import Cell, GridConfig, read_grid
from medfl.grid.shared import runs_of, unused
from medfl.grid.sites import check_sites
from medfl.partition.code import split_code
from medfl.partition.given import Chosen, announce
from medfl.partition.place import dealing
from medfl.pipeline.at_work import Start, start
from medfl.pipeline.fixed import fix
from medfl.pipeline.planned import HashedConfig, Planned, hashed_config, planned_runs
from medfl.pipeline.tuning import TuningJobs, unversioned
from medfl.report.plots.registry import FIGURES
from medfl.results import paths
from medfl.sources import source_sha
from medfl.store import DATASET
from medfl.store.store import SAMPLES

SCRATCH = Path(".snakemake")


class Wildcards(Protocol):
    """The parts of a path that Snakemake found; a rule has only those that its outputs name."""

    dataset: str
    partition: str
    dealing: str
    arm: str
    seed: str


class PointWildcards(Wildcards, Protocol):
    """The same of one point of a search."""

    point: str


@dataclass(frozen=True, eq=False)
class Workflow:
    """A grid, as the rules see it; ``open`` makes one.

    Attributes:
        grid: the grid, checked as a whole.
        file: the grid that the commands read, which no edit reaches.
        places: where raw data may lie.
        described: a file for each described dataset; it is newer than the dataset's store if the
            description was edited since.
        gpu_slots: how many runs may hold a GPU at one time; 0 where there is none, or the grid
            wants none.
    """

    grid: GridConfig
    file: Path
    places: Places
    described: Mapping[str, Path]
    gpu_slots: int
    _hashed: dict[Cell, HashedConfig] = field(default_factory=dict, repr=False)
    _inputs: dict[tuple[str, str, int], dict[str, str]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(
        cls, files: Sequence[str | Path], changes: Mapping[str, Any], in_job: bool = False
    ) -> Workflow:
        """Check a grid, and fix it for all that this start does.

        Args:
            files: the params files that were named; more than one is an error.
            changes: what ``--config`` says.
            in_job: whether this is a job on another machine, which gets the grid that the start has
                fixed.

        Raises:
            MedflError: several files, a key that stands twice, anything wrong with the grid or a
                description, or MEDFL_JOBS_PER_GPU is no number.
        """
        if len(files) > 1:
            raise MedflError("--configfile: name one grid; several would be merged key by key.")
        os.environ.pop(GRID, None)
        if in_job:
            os.environ[GRID] = str(files[0])
        grid = read_grid(files[0], changes)
        if not in_job:
            with naming(str(files[0])):
                check_sites(grid)
        file = Path(files[0]) if in_job else fix(grid)
        os.environ[GRID] = str(file)
        places = Places(data_root(grid.data_root), Path(grid.work_root))
        described = {}
        for dataset in grid.datasets:
            entry, noted = parse_dataset(dataset).dataset, SCRATCH / "described" / dataset
            made = stamp(store_path(dataset, grid.work_root), entry, places, noted)
            if made is not None:
                described[dataset] = made
        wanted = grid.run.training.get("device") != "cpu"
        slots = len(visible_gpus()) * jobs_per_gpu()
        return cls(grid, file, places, described, slots if wanted else 0)

    def environment(self, checkout: str | Path) -> dict[str, str]:
        """Variables for the commands' shells.

        The grid's file stands here and not in the parameters of rules, because a run stays the same
        when its settings move to another file. The folder of this interpreter comes last in PATH,
        so that `medfl` is found where no environment is activated.

        Args:
            checkout: where the Snakefile lies; conda environments install medfl from there.
        """
        here = str(Path(sys.executable).parent)
        return {
            "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), here]),
            GRID: str(self.file),
            "MEDFL_SOURCE": str(checkout),
        }

    # --- What there is to make.

    @cached_property
    def cells(self) -> list[Cell]:
        """Every run of the grid."""
        return self.grid.cells()

    @cached_property
    def trained(self) -> dict[Cell, Cell]:
        """Each cell → the run that stands there; partitions share those on pooled samples."""
        return runs_of(self.grid)

    @cached_property
    def tuning(self) -> TuningJobs:
        """What is searched before runs are trained."""
        return TuningJobs(self.grid, self.trained)

    @cached_property
    def stores(self) -> list[str]:
        """The file of each store that is written last."""
        grid = self.grid
        return [str(store_path(word, grid.work_root) / DATASET) for word in grid.datasets]

    @cached_property
    def runs(self) -> list[str]:
        """The record of each run."""
        runs = dict.fromkeys(self.trained.values())
        return [str(cell.folder(self.grid.output_dir) / paths.RECORD) for cell in runs]

    @cached_property
    def keeps_predictions(self) -> bool:
        """Whether every run keeps its predictions: only then is the file an output of the rule."""
        first = [cell for cell in self.cells if cell.seed == self.grid.seeds[0]]
        return all(self.grid.run_config(cell).keep.predictions for cell in first)

    @cached_property
    def chosen(self) -> dict[tuple[str, str, int], Chosen]:
        """The file of each split. It is chosen once, so that all runs of a start agree."""
        cells = [*self.cells, *self.trained.values()]
        one = {(cell.dataset, cell.partition, cell.seed): cell for cell in cells}
        return {key: self.grid.split(cell) for key, cell in one.items()}

    @property
    def notes(self) -> list[str]:
        """What a user should know of splits and runs before anything is made."""
        said = [*announce(self.chosen.values()), *unused(self.trained, self.grid.output_dir)]
        return [*said, *unversioned(self.grid, os.environ.get("DVC_STAGE", ""))]

    def splits(self, dataset: str = "") -> list[str]:
        """The table of each split, of one dataset or of all."""
        chosen = self.chosen.items()
        return sorted({str(one.path) for key, one in chosen if dataset in ("", key[0])})

    @property
    def order(self) -> list[list[str] | dict[str, list[str]] | list[int]]:
        """The order of rows and columns in tables; those that are not defined have a place, too."""
        grid = self.grid
        crossed = [[*grid.crossed]] if grid.crossed else []
        return [grid.datasets, grid.partitions, grid.arms, grid.seeds, *crossed]

    # --- Inputs and parameters of the rules.

    def description(self, wildcards: Wildcards) -> list[str]:
        """The description of a person's own data, from which their store is made."""
        found = self.described.get(wildcards.dataset)
        return [] if found is None else [str(found)]

    def store_code(self, wildcards: Wildcards) -> str:
        """Hash of what prepares a dataset."""
        return dataset_sha(wildcards.dataset, self.places)

    @property
    def prepare_options(self) -> list[str]:
        """Options of `medfl prepare`."""
        root = ["--data-root", self.grid.data_root] if self.grid.data_root else []
        partial = ["--allow-partial"] if self.grid.allow_partial else []
        return [*root, "--work-root", self.grid.work_root, *partial]

    def split_code(self, wildcards: Wildcards) -> str:
        """The code of a split, a person's own partition included."""
        return split_code(wildcards.partition).identity

    def split_options(self, wildcards: Wildcards) -> list[str]:
        """Options of `medfl split`: the number of clients and the folds.

        Raises:
            MedflError: the path names a split that this grid would deal in another way.
        """
        folds = self.grid.split_config()
        number = self.grid.clients(wildcards.dataset, wildcards.partition)
        dealt = dealing(number, folds)
        if wildcards.dealing != dealt:
            raise MedflError(
                f"this grid deals {wildcards.dataset}/{wildcards.partition} as {dealt}, not as "
                f"{wildcards.dealing}: name a grid that does with --configfile."
            )
        options = [] if number is None else ["--num-clients", str(number)]
        least = self.grid.minimum_cell(wildcards.dataset)
        if least != minimum_cell(wildcards.dataset):
            options += ["--minimum-cell", str(least)]
        usual = SplitConfig()
        for name, value in folds.model_dump().items():
            option = name.replace("_", "-")
            if isinstance(value, bool):
                changed = value != getattr(usual, name)
                options += [f"--{'' if value else 'no-'}{option}"] if changed else []
            elif value is not None:
                options += [f"--{option}", str(value)]
        return options

    def split_file(self, wildcards: Wildcards) -> str:
        """The split of a run."""
        return str(self._split(wildcards).path)

    def given_store(self, wildcards: Wildcards) -> list[str]:
        """What tells a run whose split is given that the store has changed.

        Other runs are made again with their split, which is made again with the store.
        """
        if not self._split(wildcards).given:
            return []
        return [str(store_path(wildcards.dataset, self.grid.work_root) / SAMPLES)]

    def record(self, wildcards: Wildcards) -> str:
        """The record of a run."""
        return str(self._cell(wildcards).folder(self.grid.output_dir) / paths.RECORD)

    def run_code(self, wildcards: Wildcards) -> str:
        """The code of a run, a person's own algorithm, network and partition included."""
        return code_of_numbers(Path(self.record(wildcards)), run_code(self._config(wildcards)))

    def is_stale(self, wildcards: Wildcards) -> bool:
        """Whether a finished run is not that of this grid, which Snakemake may not know."""
        inputs, record = self._inputs_of(wildcards), Path(self.record(wildcards))
        if self.grid.tune is None:
            return is_stale(record, *self._hashed_config(self._cell(wildcards)), inputs)
        run = self.tuning.run(self._cell(wildcards))
        # Where nothing is chosen yet, the choice comes first, and the run after it in any case.
        return run is not None and is_stale(
            record, run[0], fingerprint(run[0]), {**inputs, **run[1]}
        )

    def start(self) -> Start:
        """Lock what this grid writes, before anything is made.

        Raises:
            MedflError: another grid is at work there.
        """
        uses = [*self.stores, *self.splits()]
        makes = [path for path in uses if not Path(path).exists()]
        folders = [Path(path).parent for path in self.runs if not Path(path).exists()]
        training = [folder for folder in folders if folder.is_dir()]
        return start(Path(self.grid.output_dir), makes, uses, training, self.file)

    def run_settings(self, wildcards: Wildcards) -> str:
        """Hash of all settings that decide a run, with what is shipped in place of tuned values."""
        return self._hashed_config(self._cell(wildcards))[1]

    def planned(self) -> list[Planned]:
        """The runs and points that the grid asks for."""
        return planned_runs(self.grid, self.grid.output_dir, self._hashed_config)

    # --- The same of what is searched before.

    def chosen_values(self, wildcards: Wildcards) -> list[str]:
        """The file from which a run gets its values, where the grid is tuned."""
        return self.tuning.chosen(self._cell(wildcards))

    def points(self, wildcards: Wildcards) -> list[str]:
        """The record of each point of a search."""
        return self.tuning.points(self._cell(wildcards))

    def compared_splits(self, wildcards: Wildcards) -> list[str]:
        """The splits of all seeds that share the values chosen here."""
        return self.tuning.splits(self._cell(wildcards))

    def point(self, wildcards: PointWildcards) -> str:
        """The record of a point."""
        return self.tuning.record(self._cell(wildcards), int(wildcards.point))

    def point_code(self, wildcards: PointWildcards) -> str:
        """The code of the run of a point."""
        return self.tuning.code(self._cell(wildcards), int(wildcards.point))

    def point_settings(self, wildcards: PointWildcards) -> str:
        """Hash of all settings that decide the run of a point."""
        return self.tuning.settings(self._cell(wildcards), int(wildcards.point))

    def point_is_stale(self, wildcards: PointWildcards) -> bool:
        """Whether a finished point is not that of this search, which Snakemake may not know."""
        cell, inputs = self._cell(wildcards), self._inputs_of(wildcards)
        return self.tuning.is_stale(cell, int(wildcards.point), inputs)

    def choice(self, wildcards: Wildcards) -> str:
        """What decides which values are chosen, beside the points themselves."""
        return self.tuning.search(self._cell(wildcards))

    def choice_is_stale(self, wildcards: Wildcards) -> bool:
        """Whether a choice is not that of this search, which Snakemake may not know."""
        return self.tuning.choice_is_stale(self._cell(wildcards))

    def priority(self, wildcards: Wildcards) -> int:
        """What is trained first: all runs of the first seed, then those of the next."""
        return -self.grid.seeds.index(int(wildcards.seed))

    def run_cores(self, wildcards: Wildcards) -> int:
        """How many processors a run uses: one, unless its settings name more.

        A grid fills the machine with runs side by side, so ``workers: auto`` stands for one.
        """
        config = self._config(wildcards)
        training, learning = config.training, config.federated_learning
        if training.workers == "auto" or ALGORITHMS.load(learning.algorithm).pooled:
            return training.threads
        clients = [learning.clients_per_round, learning.num_clients, training.workers]
        return max(training.threads, min(number for number in clients if number is not None))

    @property
    def tables_code(self) -> str:
        """Hash of the sources of summary and tables."""
        return source_sha("medfl.report")

    @property
    def report_code(self) -> str:
        """Hash of the sources of figures and page, a person's own figures included."""
        chosen = self.grid.figures or []
        files = [path for name in chosen for path in FIGURES.sources(name).files]
        own = map(sha256_file, files)
        return " ".join([source_sha("medfl.report", "medfl.pages"), *own])

    def _cell(self, wildcards: Wildcards) -> Cell:
        return Cell(wildcards.dataset, wildcards.partition, wildcards.arm, int(wildcards.seed))

    def _inputs_of(self, wildcards: Wildcards) -> dict[str, str]:
        """The hashes of a run's split and store as they are now."""
        cell = self._cell(wildcards)
        key = (cell.dataset, cell.partition, cell.seed)
        if key not in self._inputs:
            store = store_path(cell.dataset, self.grid.work_root)
            self._inputs[key] = inputs_now(self._split(wildcards).path, store)
        return self._inputs[key]

    def _split(self, wildcards: Wildcards) -> Chosen:
        cell = self._cell(wildcards)
        return self.chosen[cell.dataset, cell.partition, cell.seed]

    def _config(self, wildcards: Wildcards) -> FederatedConfig:
        return self._hashed_config(self._cell(wildcards))[0]

    def _hashed_config(self, cell: Cell) -> HashedConfig:
        """A run, which is checked and hashed once, though Snakemake asks for it several times."""
        if cell not in self._hashed:
            self._hashed[cell] = hashed_config(self.grid, cell)
        return self._hashed[cell]
