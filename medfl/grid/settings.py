"""The keys of a params file: the lists that are crossed, and the settings of each run."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from medfl.arms.named import (
    DECIDED,
    hyper_parameters,
)
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
    check_distinct,
    data_root,
    privacy_over,
    validate,
)
from medfl.datasets.base import Places
from medfl.disclosure.published_sets import minimum_cell
from medfl.files.names import usable_path
from medfl.grid.cell import Cell
from medfl.partition import parse_partition
from medfl.partition.given import Chosen, choose, named
from medfl.partition.place import split_path
from medfl.partition.pooled import POOLED


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


FOLDERS = ("data_root", "work_root", "splits_dir", "output_dir")


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

    @field_validator(*FOLDERS, "arms_file", "split_file")
    @classmethod
    def _can_be_there(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None:
            return None
        if info.field_name in FOLDERS and (found := set(path) & set("{}<>")):
            raise ValueError(
                f"{min(found)} stands for other letters in the workflow's names: leave it out"
            )
        if Path(path).as_posix().startswith("-"):
            raise ValueError("a name that begins with - is taken for an option: choose another")
        return usable_path(path)

    @field_validator("datasets", "partitions", "arms", "seeds")
    @classmethod
    def _distinct(cls, values: Any) -> Any:
        for words in values.values() if isinstance(values, dict) else [values]:
            check_distinct(words)
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
    def minimum_cells(self) -> dict[str, int]:
        """Dataset → the smallest count that is published."""
        return {dataset: self.minimum_cell(dataset) for dataset in self.datasets}

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


def put(content: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """The same content with another value at a path of keys; nothing that was given changes."""
    first, *rest = path
    inner = put(content.get(first) or {}, rest, value) if rest else value
    return {**content, first: inner}
