"""One validated description of a run: the only place that knows the defaults."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import BaseModel, Field, model_validator

from medfl.config.augmentation import Augmentation
from medfl.config.base import FolderWord, Section, validate
from medfl.config.chain import ChainSettings
from medfl.config.deciding import neutral
from medfl.config.privacy import PER_SAMPLE, Privacy
from medfl.config.report import Report
from medfl.config.sections import (
    PRIMARY_WORDS,
    FairnessConfig,
    FederatedLearning,
    GivenSplit,
    Keep,
    Model,
    Primary,
    SplitConfig,
)
from medfl.config.training import Training
from medfl.errors import MedflError
from medfl.files import read_yaml

SECTIONS: dict[str, type[Section]] = {
    "federated_learning": FederatedLearning,
    "model": Model,
    "training": Training,
    "augmentation": Augmentation,
    "privacy": Privacy,
    "chain": ChainSettings,
    "fairness": FairnessConfig,
    "keep": Keep,
}
# Made once: to read `model_fields` for every run of a grid takes longer than to check the run.
_SECTION_KEYS = {section: frozenset(kind.model_fields) for section, kind in SECTIONS.items()}


class FederatedConfig(GivenSplit):
    """Everything that decides a run's result.

    From Python the keys of the sections may be given flat:
    ``FederatedConfig(algorithm="fedprox", rounds=50, learning_rate=0.01, model="resnet18")``.
    """

    short_keys: ClassVar[frozenset[str]] = frozenset().union(*_SECTION_KEYS.values())

    dataset: FolderWord = Field(
        "phantom", description="<name> or <name>-<pixels>, as for `medfl prepare`"
    )
    partition: FolderWord = Field(
        "dirichlet-0.5", description="a built-in word, or my_package.module:MyPartition"
    )
    arm: str = Field("", description="the run's name in tables; the algorithm unless given")
    seed: int = Field(0, ge=0, description="the same seed gives the same split and the same run")
    split_seed: int | None = Field(
        None,
        ge=0,
        description="the seed of the split, where it is another than that of training",
        json_schema_extra=neutral(None),
    )
    primary: Primary = Field("auto", description=PRIMARY_WORDS, json_schema_extra=neutral("auto"))
    split: SplitConfig = SplitConfig()
    federated_learning: FederatedLearning = FederatedLearning()
    model: Model = Model()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    privacy: Privacy = Privacy()
    chain: ChainSettings = ChainSettings()
    fairness: FairnessConfig = FairnessConfig()
    keep: Keep = Keep()
    report: Report = Report()

    @model_validator(mode="before")
    @classmethod
    def _gather_flat_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        kept = ("seed", "num_clients")  # null means something here, so it stays
        values = {key: value for key, value in values.items() if value is not None or key in kept}
        if isinstance(values.get("model"), str):
            values["model"] = {"name": values["model"]}
        if "target_accuracy" in values:  # its section says what it is called now
            values["federated_learning"] = {
                **_as_dict(values.get("federated_learning") or {}, "federated_learning"),
                "target_accuracy": values.pop("target_accuracy"),
            }
        for section, known in _SECTION_KEYS.items():
            flat = {key: values.pop(key) for key in known & values.keys()}
            if flat:
                values[section] = {**_as_dict(values.get(section) or {}, section), **flat}
        return values

    @model_validator(mode="after")
    def _name_the_arm(self) -> FederatedConfig:
        if not self.arm:
            object.__setattr__(self, "arm", self.federated_learning.algorithm.split(":")[-1])
        return self

    @model_validator(mode="after")
    def _move_privacy_into_the_chain(self) -> FederatedConfig:
        """Let a run be the same however its protection is written, and give it group norm."""
        links = self.privacy.links()
        both = sorted(links.keys() & self.chain.links.keys())
        if both:
            raise ValueError(f"`privacy` and `chain` both set the link {both[0]}: keep one of them")
        if links:
            moved = {**self.chain.links, **links}
            object.__setattr__(self, "chain", self.chain.model_copy(update={"links": moved}))
            object.__setattr__(self, "privacy", Privacy())
            self.model_fields_set.add("chain")  # it is no default any more
        per_sample = [name for name in PER_SAMPLE if name in self.chain.links]
        if not per_sample or self.model.normalization == "group":
            return self
        if "normalization" in self.model.model_fields_set:
            raise ValueError(
                f"model.normalization is batch, but batch norm mixes the samples of a batch, so "
                f"that {per_sample[0]} could not bound what one of them adds: leave it out (group "
                "norm is then taken), or write group"
            )
        grouped = self.model.model_copy(update={"normalization": "group"})
        object.__setattr__(self, "model", grouped)
        return self

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> FederatedConfig:
        """Read and validate a run file (YAML)."""
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise MedflError(f"{path} must hold sections such as federated_learning and training.")
        if {"datasets", "arms", "seeds"} <= content.keys():
            raise MedflError(f"{path} is the params file of a grid: give it with --grid.")
        return validate(cls, content, str(path))

    @property
    def folds_seed(self) -> int:
        """The seed of its split."""
        return self.seed if self.split_seed is None else self.split_seed

    def with_device(self, device: str) -> FederatedConfig:
        """The same run on another device."""
        training = validate(Training, {**self.training.model_dump(), "device": device}, "--device")
        return self.model_copy(update={"training": training})


def _as_dict(section: Any, name: str) -> dict[str, Any]:
    if isinstance(section, BaseModel):
        return section.model_dump()
    if not isinstance(section, dict):
        raise ValueError(f"`{name}` must hold settings by name, and is {section!r}")
    return dict(section)


DEFAULTS = FederatedConfig()  # the run of an empty file
