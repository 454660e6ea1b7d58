"""One validated description of a run: the only place that knows the defaults.

``FederatedConfig`` has the sections of a run file (``federated_learning``, ``model``,
``training``, ``augmentation``, ``privacy``) and what the run is about (``dataset``,
``partition``, ``seed``).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from medfl.errors import MedflError
from medfl.files import read_yaml


class Section(BaseModel):
    """A part of a configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _not_a_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Input should be a valid integer")
    return value


# Not true or false, which Python takes for 1 and 0, and YAML reads in yes, no, on and off. Digits
# in quotes will do: Snakemake hands `--config seeds=[0,1]` on as words.
Whole = Annotated[int, BeforeValidator(_not_a_truth)]


ALGORITHM = r"\w+|[A-Za-z_][\w.]*:\w+"  # a registered name, or a user's class


class FederatedLearning(Section):
    """Who trains how much, and how the server averages."""

    algorithm: str = Field("fedavg", description="a registered name, or my_package.module:MyClass")
    algorithm_params: dict[str, Any] = Field(
        default_factory=dict, description="the algorithm's hyper-parameters"
    )
    num_clients: Whole | None = Field(
        10, ge=1, description="clients; null for partition `site` (one a site)"
    )
    clients_per_round: Whole | None = Field(
        None, ge=1, description="clients sampled each round; null for all"
    )
    rounds: Whole = Field(20, ge=1, description="communication rounds")
    local_epochs: Whole | None = Field(
        None, ge=1, description="passes over a client's data a round (1 unless local_steps is set)"
    )
    local_steps: Whole | None = Field(
        None, ge=1, description="optimiser steps a client a round, instead of local_epochs"
    )
    weighting: Literal["samples", "uniform"] = Field(
        "samples", description="weight of a client in averages: its training samples, or equal"
    )
    evaluate_every: Whole = Field(1, ge=1, description="rounds between evaluations")
    target_accuracy: float | None = Field(
        None, gt=0, le=1, description="test accuracy for rounds-to-target and bytes-to-target"
    )

    @field_validator("algorithm")
    @classmethod
    def _names_an_algorithm(cls, word: str) -> str:
        if not re.fullmatch(ALGORITHM, word):
            raise ValueError("write a registered name, or my_package.module:MyClass")
        return word

    @model_validator(mode="after")
    def _one_measure_of_work(self) -> FederatedLearning:
        if self.local_epochs is not None and self.local_steps is not None:
            raise ValueError("give local_epochs or local_steps, not both")
        if (
            self.clients_per_round is not None
            and self.num_clients is not None
            and self.clients_per_round > self.num_clients
        ):
            raise ValueError(
                f"clients_per_round is {self.clients_per_round}, but there are only "
                f"{self.num_clients} clients"
            )
        return self


# By name, so that a grid is checked without PyTorch. What they are stands in medfl/models.
MODELS = ("cnn", "mlp", "logistic", "resnet18", "resnet50", "densenet121", "efficientnet_b0")


class Model(Section):
    """The network."""

    name: str = Field("cnn", description="one of MODELS")
    normalization: Literal["batch", "group"] = Field(
        "batch", description="batch norm, or group norm in its place"
    )
    pretrained: bool = Field(False, description="start from torchvision's ImageNet weights")
    fusion: Literal["early", "late"] = Field(
        "early",
        description="images of several modalities: one backbone for all channels, or one for each "
        "modality and one head",
    )

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"unknown model `{name}`{did_you_mean(name, MODELS)}")
        return name


class Training(Section):
    """The local optimiser and where it runs."""

    batch_size: Whole = Field(32, ge=1)
    patch: Annotated[int, BeforeValidator(_not_a_truth), Field(ge=8)] | list[Whole] | None = Field(
        None,
        description="train on random patches of this side (or these sides) and evaluate by a "
        "sliding window; null for whole images",
    )
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = Field(0.05, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(0.0, ge=0)
    lr_schedule: Literal["constant", "cosine", "step", "exponential"] = Field(
        "constant", description="of the learning rate, over rounds"
    )
    lr_gamma: float = Field(0.1, gt=0, le=1, description="factor of `step` and `exponential`")
    lr_milestones: list[float] = Field(
        default_factory=lambda: [0.5, 0.75],
        description="of `step`: fractions of all rounds after which the rate falls",
    )

    @field_validator("patch")
    @classmethod
    def _is_large_enough(cls, sides: int | list[int] | None) -> int | list[int] | None:
        if isinstance(sides, list) and not (len(sides) in (2, 3) and min(sides) >= 8):
            raise ValueError("give one number, or two or three sides, of at least 8")
        return sides

    @field_validator("lr_milestones")
    @classmethod
    def _are_fractions(cls, values: list[float]) -> list[float]:
        if not all(0 < value < 1 for value in values):
            raise ValueError("milestones are fractions of all rounds, such as [0.5, 0.75]")
        return values

    warmup_rounds: Whole = Field(0, ge=0, description="rounds of linear warm-up")
    clip_norm: float | None = Field(None, gt=0, description="limit of the gradient's 2-norm a step")
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="bfloat16 arithmetic; auto: on a GPU that has it"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:<index>")
    threads: Whole = Field(1, ge=1, le=1024, description="CPU threads of one run")
    images: Literal["auto", "memory", "disk"] = Field(
        "auto",
        description="where a run keeps its images: in the device's memory, or on the disk, read "
        "batch by batch with the same result; auto: in memory where they fit into memory_limit",
    )
    memory_limit: float | None = Field(
        None,
        gt=0,
        description="GiB of images that auto takes into memory; null: half of what is free",
    )

    @field_validator("mixed_precision", mode="before")
    @classmethod
    def _reads_on_and_off(cls, value: Any) -> Any:
        """Take YAML's true and false for the words that they were written as."""
        return ("on" if value else "off") if isinstance(value, bool) else value

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, name: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", name):
            raise ValueError("choose auto, cpu, cuda or cuda:<index>")
        return name


def _not_a_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("write a number; 0 switches it off")
    return value


Chance = Annotated[float, BeforeValidator(_not_a_switch), Field(ge=0, le=1)]
Limit = Annotated[float, BeforeValidator(_not_a_switch)]


class Augmentation(Section):
    """Random changes of the training images; docs/augmentation.md says what each one does.

    What is left out is as the preset has it. A number given here is meant as it stands: the
    strength scales the preset's own magnitudes only.
    """

    preset: Literal[
        "none", "auto", "xray", "ct", "mri", "ultrasound", "dermatoscopy", "histology", "photo"
    ] = Field("none", description="auto: by the dataset's modality")
    strength: Literal["light", "medium", "strong"] = "medium"
    flip_horizontal: Chance | None = Field(None, description="left and right change places")
    flip_vertical: Chance | None = None
    flip_depth: Chance | None = Field(None, description="of volumes: first slice last")
    affine_probability: Chance | None = None
    rotation: Limit | None = Field(None, ge=0, le=180, description="degrees, either way")
    scale: Limit | None = Field(None, ge=0, lt=1, description="0.1: 1/1.1 to 1.1 times as large")
    shift: Limit | None = Field(None, ge=0, le=0.5, description="part of the image's side")
    shear: Limit | None = Field(None, ge=0, le=45, description="degrees")
    elastic_probability: Chance | None = None
    elastic: Limit | None = Field(
        None,
        ge=0,
        le=0.1,
        description="displacement of a node, part of the image's side",
    )
    padding: Literal["zeros", "border", "reflection"] | None = Field(
        None, description="what moves in from outside the image"
    )
    blur_probability: Chance | None = None
    blur: Limit | None = Field(None, ge=0, le=5, description="deviation in pixels")
    low_resolution_probability: Chance | None = None
    low_resolution: Limit | None = Field(None, ge=1, le=4, description="pixels this much larger")
    bias_field_probability: Chance | None = None
    bias_field: Limit | None = Field(None, ge=0, le=2, description="logarithm of the coils' gain")
    stain_probability: Chance | None = None
    stain: Limit | None = Field(None, ge=0, lt=1, description="part of each dye's density")
    colour_probability: Chance | None = None
    colour: Limit | None = Field(None, ge=0, lt=1, description="gain of each channel, saturation")
    tone_probability: Chance | None = None
    brightness: Limit | None = Field(None, ge=0, lt=1, description="0.1: 0.9 to 1.1 times")
    contrast: Limit | None = Field(None, ge=0, lt=1, description="about the image's mean")
    gamma: Limit | None = Field(None, ge=0, le=3, description="0.2: exponent 1/1.2 to 1.2")
    noise_probability: Chance | None = None
    noise: Limit | None = Field(None, ge=0, le=1, description="deviation; 1 is black to white")
    noise_kind: Literal["gaussian", "rician", "poisson", "speckle"] | None = None
    cutout_probability: Chance | None = None
    cutout: Limit | None = Field(
        None, ge=0, le=1, description="side of the box, part of the image's side"
    )
    mixup: Limit = Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off")
    cutmix: Limit = Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off")

    @model_validator(mode="after")
    def _changes_a_preset(self) -> Augmentation:
        given = sorted(self.overrides())
        if self.preset == "none" and given:
            raise ValueError(f"{given[0]} changes a preset: choose one, such as `preset: auto`")
        return self

    def overrides(self) -> dict[str, Any]:
        """What was given in place of the preset's own numbers."""
        shared = {"preset", "strength", "mixup", "cutmix"}
        return self.model_dump(exclude=shared, exclude_none=True)


class Privacy(Section):
    """Protection of the updates."""

    mechanism: Literal["none"] = "none"


SECTIONS: dict[str, type[Section]] = {
    "federated_learning": FederatedLearning,
    "model": Model,
    "training": Training,
    "augmentation": Augmentation,
    "privacy": Privacy,
}
# Once: reading `model_fields` for every run of a grid takes longer than checking the run.
_SECTION_KEYS = {section: frozenset(kind.model_fields) for section, kind in SECTIONS.items()}


class SplitConfig(Section):
    """How a dataset is divided into folds."""

    min_samples: Whole = Field(2, ge=1, description="training samples that every client must have")
    val_fraction: float = Field(0.15, gt=0, lt=1)
    test_fraction: float = Field(0.2, gt=0, lt=1)
    official_folds: bool = Field(True, description="keep the folds that a dataset brings")

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitConfig:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction leave nothing to train on")
        return self


class FederatedConfig(Section):
    """Everything that decides a run's result.

    From Python the keys of the sections may be given flat:
    ``FederatedConfig(algorithm="fedprox", rounds=50, learning_rate=0.01, model="resnet18")``.
    """

    dataset: str = "phantom"
    partition: str = "dirichlet-0.5"
    arm: str = Field("", description="the run's name in tables; the algorithm unless given")
    seed: Whole = Field(0, ge=0)
    split: SplitConfig = SplitConfig()
    federated_learning: FederatedLearning = FederatedLearning()
    model: Model = Model()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    privacy: Privacy = Privacy()

    @model_validator(mode="before")
    @classmethod
    def _gather_flat_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        kept = ("seed", "num_clients")  # whose null says something
        values = {key: value for key, value in values.items() if value is not None or key in kept}
        if isinstance(values.get("model"), str):
            values["model"] = {"name": values["model"]}
        for section, known in _SECTION_KEYS.items():
            flat = {key: values.pop(key) for key in known & values.keys()}
            if flat:
                values[section] = {**_as_dict(values.get(section) or {}), **flat}
        return values

    @model_validator(mode="after")
    def _name_the_arm(self) -> FederatedConfig:
        if not self.arm:
            object.__setattr__(self, "arm", self.federated_learning.algorithm.split(":")[-1])
        return self

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> FederatedConfig:
        """Read and validate a run file (YAML)."""
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise MedflError(f"{path} must hold sections such as federated_learning and training.")
        return validate(cls, content, str(path))

    def with_device(self, device: str) -> FederatedConfig:
        """The same run on another device."""
        training = validate(Training, {**self.training.model_dump(), "device": device}, "--device")
        return self.model_copy(update={"training": training})

    def fingerprint(self) -> str:
        """SHA-256 of all that decides the result: what of equal value is a resumable run.

        Device, thread count and where the images lie are left out: they say where a run is
        computed.
        """
        content = self.model_dump(mode="json")
        for key in ("device", "threads", "images", "memory_limit"):
            content["training"].pop(key)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _as_dict(section: Any) -> dict[str, Any]:
    return section.model_dump() if isinstance(section, BaseModel) else dict(section)


T = TypeVar("T", bound=BaseModel)


def validate(kind: type[T], content: Any, where: str) -> T:
    """Build ``kind`` from ``content``; what is wrong is one ``MedflError`` naming ``where``."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise MedflError("; ".join(_explain(kind, error, where))) from error


_TRIED = re.compile(r"(list|dict|tuple|function-(before|after|wrap|plain))\[")


def _explain(kind: type[BaseModel], error: ValidationError, where: str) -> list[str]:
    lines = []
    for problem in error.errors():
        # Of a choice of types pydantic also names the one it tried, such as `list[str]`: no key.
        location = [str(part) for part in problem["loc"] if not _TRIED.match(str(part))]
        path = ".".join(location) or "the configuration"
        if problem["type"] == "extra_forbidden":
            known = _keys_at(kind, location[:-1])
            lines.append(f"{where}: unknown key `{path}`{did_you_mean(location[-1], known)}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = problem.get("input")
            shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
            lines.append(f"{where}: `{path}`: {message}{shown}")
    return lines


def _keys_at(kind: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that a section has, following field names down from ``kind``."""
    for part in location:
        field = kind.model_fields.get(part)
        if field is None:
            continue
        # Of `dict[str, Modality]` and `Modality | None` too, the section is meant.
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                kind = inner
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    if kind is FederatedConfig:
        keys += [key for section in SECTIONS.values() for key in section.model_fields]
    return keys


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(known)}." if known else "; none is known here."


def data_root(given: str | os.PathLike[str] | None = None) -> Path:
    """Where raw data lies: the argument, else ``MEDFL_DATA``, else ``data``."""
    return Path(given or os.environ.get("MEDFL_DATA") or "data")
