"""The grid: dataset × partition × arm × seed, read from a params file and checked as a whole."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from medfl.algorithms.registry import ALGORITHMS
from medfl.arms import (
    DECIDED,
    check_arm,
    check_unit,
    hyper_parameters,
    read_arms,
    with_group_words,
)
from medfl.chain import check_chain
from medfl.comparable import check_private_arms
from medfl.config import (
    ARMS_FILE,
    NUM_CLIENTS,
    OUTPUT_DIR,
    PRIMARY_WORDS,
    SECTIONS,
    SPLITS_DIR,
    WORK_ROOT,
    CrossedArm,
    FederatedConfig,
    FolderWord,
    GivenSplit,
    Primary,
    Report,
    RobustnessAxes,
    Section,
    SplitConfig,
    Tune,
    data_root,
    did_you_mean,
    privacy_over,
    validate,
)
from medfl.datasets.base import Places
from medfl.datasets.registry import parse_dataset
from medfl.disclosure.published_sets import minimum_cell
from medfl.doubles import canonical_partitions, check_arms, check_datasets
from medfl.errors import MedflError, naming
from medfl.files import read_yaml
from medfl.models.registry import check_model
from medfl.partition import parse_partition
from medfl.partition.given import Chosen, check_pattern, choose, named
from medfl.partition.place import split_path
from medfl.partition.pooled import POOLED
from medfl.report.plots.registry import FIGURES
from medfl.results import paths
from medfl.robust_arms import crossed_arms, not_defined
from medfl.sites import with_each_site
from medfl.tuning.search import check_searches


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


class Sections(Section):
    """Settings that replace the defaults of a run."""

    federated_learning: dict[str, Any] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    augmentation: dict[str, Any] = Field(default_factory=dict)
    privacy: dict[str, Any] = Field(default_factory=dict)
    chain: dict[str, Any] = Field(default_factory=dict)
    fairness: dict[str, Any] = Field(default_factory=dict)
    keep: dict[str, Any] = Field(default_factory=dict)

    @field_validator("federated_learning")
    @classmethod
    def _leaves_the_grid_its_own(cls, values: dict[str, Any]) -> dict[str, Any]:
        for key in DECIDED.keys() & values:
            raise ValueError(f"{key} {DECIDED[key]}")
        return values


class DatasetSettings(Sections):
    """The settings of one dataset that differ from the grid's."""

    num_clients: int | None = Field(None, ge=1)
    primary: Primary | None = Field(None, description="null: the grid's")
    report: Report | None = Field(None, description="null: the grid's")


class GridConfig(SplitConfig, GivenSplit):
    """A params file: the lists that are crossed, and the settings of every split and run."""

    data_root: str | None = None
    work_root: str = Field(
        WORK_ROOT, min_length=1, description="prepared stores go to <work_root>/prepared"
    )
    allow_partial: bool = Field(
        False, description="prepare what is there of a dataset that is not all on this disk"
    )
    splits_dir: str = Field(
        SPLITS_DIR, min_length=1, description="<dataset>/<partition>/clients<n>/seed<k>.csv"
    )
    output_dir: str = Field(OUTPUT_DIR, min_length=1)
    arms_file: str | None = Field(ARMS_FILE, description="the named arms")
    datasets: list[FolderWord] = Field(min_length=1)
    partitions: (
        Annotated[list[FolderWord], Field(min_length=1)]
        | dict[FolderWord, Annotated[list[FolderWord], Field(min_length=1)]]
    ) = Field(
        description="of every dataset, or dataset: its partitions; leave-one-out stands for "
        "leave-out-<site> with each site",
    )
    arms: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    num_clients: int = Field(
        NUM_CLIENTS,
        ge=1,
        description="clients of partitions that do not bring their own",
    )
    primary: Primary = Field("auto", description=PRIMARY_WORDS)
    figures: list[str] | None = Field(
        None,
        description="the report's figures: built-in names, or my_package.module:MyFigure; null for "
        "all that are built in",
    )
    report: Report = Report()
    tune: Tune | None = Field(
        None, description="how every arm is tuned; null: all are trained as they are shipped"
    )
    robustness: RobustnessAxes | None = Field(
        None, description="attackers, attacks and rules with which every arm is crossed; null: none"
    )
    run: Sections = Sections()
    dataset_settings: dict[str, DatasetSettings] = Field(default_factory=dict)
    arm_settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="the arms, filled from arms_file; more may stand here"
    )

    @field_validator("datasets", "partitions", "arms", "seeds")
    @classmethod
    def _distinct(cls, values: Any) -> Any:
        for words in values.values() if isinstance(values, dict) else [values]:
            twice = sorted({str(value) for value in words if words.count(value) > 1})
            if twice:
                raise ValueError(f"{', '.join(twice)} stands there twice")
        return values

    @field_validator("tune")
    @classmethod
    def _tunes_apart(cls, tune: Tune | None, info: ValidationInfo) -> Tune | None:
        if tune and tune.seed in info.data.get("seeds", ()):
            raise ValueError(
                f"tune.seed is {tune.seed}, which is one of seeds too: give tuning a seed of its "
                "own, so that no value is chosen by a run that is compared"
            )
        return tune

    @field_validator("seeds")
    @classmethod
    def _not_negative(cls, values: list[int]) -> list[int]:
        if min(values) < 0:
            raise ValueError("seeds are 0 or more")
        return values

    def cells(self) -> list[Cell]:
        """Every run: datasets change slowest, seeds fastest."""
        return [
            Cell(dataset, partition, arm, seed)
            for dataset in self.datasets
            for partition in self.partitions_of(dataset)
            for arm in self.arms
            for seed in self.seeds
        ]

    def partitions_of(self, dataset: str) -> list[str]:
        """The partitions of one dataset."""
        every = self.partitions
        return every[dataset] if isinstance(every, dict) else every

    @property
    def every_partition(self) -> list[str]:
        """The partitions of any dataset, each once."""
        words = [word for dataset in self.datasets for word in self.partitions_of(dataset)]
        return list(dict.fromkeys(words))

    @property
    def places(self) -> Places:
        """Where raw data may lie."""
        return Places(data_root(self.data_root), Path(self.work_root))

    def split_path(self, cell: Cell) -> Path:
        """The split file of a run. All arms share it, and so do other grids that deal alike."""
        return self.split(cell).path

    def split(self, cell: Cell) -> Chosen:
        """The split file of a run, and whether a person gave it.

        Raises:
            MedflError: a person's file is malformed, or nobody can know which file is meant.
        """
        clients = self.clients(cell.dataset, cell.partition)
        where = (cell.dataset, cell.partition, cell.seed)
        own = split_path(self.splits_dir, *where, clients, self.split_config())
        if self.split_file:
            return named(self.split_file, own, clients)
        return choose(own, clients, self.split_config())

    def clients(self, dataset: str, partition: str) -> int | None:
        """The number of clients of a split; None where the data's own sites decide it."""
        if parse_partition(partition).natural:
            return None
        return self._num_clients(dataset)

    def _report(self, dataset: str) -> Report:
        own = self.dataset_settings.get(dataset)
        return own.report if own and own.report else self.report

    def minimum_cell(self, dataset: str) -> int:
        """The smallest count of a dataset that is published."""
        return minimum_cell(dataset, self._report(dataset).minimum_cell)

    @property
    def margins(self) -> dict[str, float]:
        """Dataset → within which difference, as a fraction, arms are practically equal."""
        return {dataset: self._report(dataset).equal_within / 100 for dataset in self.datasets}

    @property
    def crossed(self) -> dict[str, CrossedArm]:
        """The arms that were crossed, those that are not defined too: name → what it is made of."""
        return self.robustness.crossed if self.robustness else {}

    def _num_clients(self, dataset: str) -> int:
        own = self.dataset_settings.get(dataset)
        return own.num_clients if own and own.num_clients else self.num_clients

    def counts_clients(self, cell: Cell) -> bool:
        """Whether the work of a pooled run depends on how many clients a federation has."""
        return self._section("federated_learning", cell).get("local_steps") is not None

    def _section(self, name: str, cell: Cell) -> dict[str, Any]:
        """The settings of a section that a run gets: the grid's ← its dataset's ← its arm's."""
        own = self.dataset_settings.get(cell.dataset)
        arm = self.arm_settings[cell.arm].get(name) or {}
        over = privacy_over if name == "privacy" else operator.or_
        return over(over(getattr(self.run, name), getattr(own, name) if own else {}), arm)

    def split_config(self) -> SplitConfig:
        """The fold settings that every split of the grid shares."""
        return SplitConfig(**{key: getattr(self, key) for key in SplitConfig.model_fields})

    def run_config(self, cell: Cell, values: Mapping[str, Any] | None = None) -> FederatedConfig:
        """The whole configuration of one run: defaults ← dataset ← arm.

        Args:
            cell: the run.
            values: what replaces the arm's own values: hyper-parameter, or path such as
                ``training.learning_rate``, → value.
        """
        arm = self.arm_settings[cell.arm]
        own = self.dataset_settings.get(cell.dataset)
        sections = {name: self._section(name, cell) for name in SECTIONS}
        learning = sections["federated_learning"]
        learning["algorithm"] = arm["algorithm"]
        learning["algorithm_params"] = hyper_parameters(arm)
        for key, value in (values or {}).items():
            section, *path = key.split(".")
            if path:
                sections[section] = put(sections[section], path, value)
            else:
                learning["algorithm_params"][key] = value
        learning["num_clients"] = self.clients(cell.dataset, cell.partition)
        if cell.partition == POOLED and self.counts_clients(cell):
            learning["num_clients"] = self._num_clients(cell.dataset)  # of those it stands beside
        content = {
            "dataset": cell.dataset,
            "partition": cell.partition,
            "arm": cell.arm,
            "seed": cell.seed,
            "primary": (own and own.primary) or self.primary,
            "split": self.split_config(),
            "split_file": str(self.split_path(cell)) if self.split_file else None,
            "allow_left_out": self.allow_left_out,
            "report": self._report(cell.dataset),
            **sections,
        }
        return validate(FederatedConfig, content, f"the run {cell}")


def read_grid(path: str | Path, overrides: Mapping[str, Any] | None = None) -> GridConfig:
    """Read a params file and check all of it; ``overrides`` replace keys, also inner ones."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise MedflError(f"{path} must hold keys such as datasets, partitions, arms and seeds.")
    return load_grid(_merged(content, overrides or {}), str(path))


def _with_robust_arms(grid: GridConfig) -> GridConfig:
    """The grid with its arms crossed; those that are not defined for its clients are left out."""
    axes = grid.robustness
    if axes is None or axes.crossed:
        return grid
    arms, crossed = crossed_arms(axes, grid.arm_settings)
    for name, arm in arms.items():
        check_arm(name, arm)
    grid = grid.model_copy(update={"arms": list(arms), "arm_settings": arms})
    reasons = not_defined(grid)
    kept = {name: arm for name, arm in arms.items() if name not in reasons}
    made_of = {
        name: one.model_copy(update={"not_defined": reasons.get(name, "")})
        for name, one in crossed.items()
    }
    axes = axes.model_copy(update={"crossed": made_of})
    return grid.model_copy(update={"arms": [*kept], "arm_settings": kept, "robustness": axes})


def _partitions(grid: GridConfig) -> list[str] | dict[str, list[str]]:
    """The partitions of every dataset; by dataset where they are not the same."""
    if isinstance(grid.partitions, dict):
        for name in grid.partitions:
            if name not in grid.datasets:
                raise MedflError(
                    f"partitions names `{name}`, which is not in datasets"
                    + did_you_mean(name, grid.datasets)
                )
        for name in grid.datasets:
            if name not in grid.partitions:
                raise MedflError(f"partitions names none for `{name}`, which is in datasets.")
    found = {
        name: canonical_partitions(with_each_site(grid.partitions_of(name), name, grid.places))
        for name in grid.datasets
    }
    first = found[grid.datasets[0]]
    return first if all(words == first for words in found.values()) else found


def put(content: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """The same content with another value at a path of keys; nothing that was given changes."""
    first, *rest = path
    inner = put(content.get(first) or {}, rest, value) if rest else value
    return {**content, first: inner}


def _merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merged(old, value)
        merged[key] = value
    return merged


def load_grid(content: Mapping[str, Any], where: str = "the grid") -> GridConfig:
    """Check a grid as a whole: every name, hyper-parameter and setting, before anything runs."""
    grid = validate(GridConfig, dict(content), where)
    with naming(where):
        for dataset in grid.datasets:
            spec = parse_dataset(dataset)
            if spec.word != dataset:  # a path cannot name the folders of the grid
                raise MedflError(
                    f"write `{spec.word}` for {dataset}, and put that file into params/datasets, "
                    "or its folder into MEDFL_DATASETS."
                )
        check_datasets(grid.datasets)
        grid = grid.model_copy(update={"partitions": _partitions(grid)})
        if grid.split_file:
            check_pattern(grid.split_file, grid.datasets, grid.every_partition)
        for figure in grid.figures or ():
            FIGURES.check_name(figure)
            if figure not in FIGURES:  # a built-in one needs no check, and would import matplotlib
                FIGURES.load(figure)
        shared = read_arms(grid.arms_file) if grid.arms_file else {}
    groups = {dataset: parse_dataset(dataset).dataset.group for dataset in grid.datasets}
    arms = with_group_words({**shared, **grid.arm_settings}, groups.values())
    for name in grid.arms:
        if name not in arms:
            raise MedflError(f"{where}: unknown arm `{name}`{did_you_mean(name, arms)}")
        own = name in grid.arm_settings or not grid.arms_file
        with naming(where if own else str(grid.arms_file)):
            check_arm(name, arms[name])
            for dataset, word in groups.items():
                check_unit(name, arms[name], dataset, word)
    for name in grid.dataset_settings:
        if name not in grid.datasets:
            raise MedflError(
                f"{where}: dataset_settings names `{name}`, which is not in datasets"
                + did_you_mean(name, grid.datasets)
            )
    chosen = {name: arms[name] for name in grid.arms}
    grid = grid.model_copy(update={"arm_settings": chosen})
    with naming(where):
        grid = _with_robust_arms(grid)
        runs = []
        for cell in grid.cells():
            if cell.seed == grid.seeds[0]:
                config = grid.run_config(cell)
                runs.append(config)
                check_model(config.model.name, config.model.params, f"the run {cell}")
                algorithm = ALGORITHMS.load(config.federated_learning.algorithm)
                check_chain(config, algorithm, f"the run {cell}")
        check_arms(grid)
        check_private_arms(runs)
        check_searches(grid)
    return grid
