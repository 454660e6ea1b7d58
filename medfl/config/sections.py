"""The smaller sections of a run: learning, network, training, privacy, what is kept, folds."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from medfl.config.base import Section
from medfl.config.deciding import INPUT, KEPT, PLACE, neutral
from medfl.config.numbers import NUMBER

OWN = r"[A-Za-z_][\w.]*:\w+"  # a person's own class: my_package.module:MyClass
NAME = rf"\w+|{OWN}"  # a registered name, or a person's own class


def _name_or_class(word: str, example: str) -> str:
    if not re.fullmatch(NAME, word):
        raise ValueError(f"write a registered name, or {example}")
    return word


def _number(value: Any) -> Any:
    """A number with an exponent in place of its text, also inside lists and mappings."""
    if isinstance(value, dict):
        return {key: _number(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_number(one) for one in value]
    if isinstance(value, str) and "e" in value.lower() and NUMBER.fullmatch(value):
        return float(value)
    return value


Primary = Literal["auto", "accuracy", "balanced_accuracy", "auc_macro", "f1_macro", "kappa"]
PRIMARY_WORDS = (
    "the metric that ranks arms, chooses the best round (on validation) and has the target; auto: "
    "balanced_accuracy, or auc_macro where an image may have several labels"
)

NUM_CLIENTS = 10  # a run's default and a grid's, though a grid's may not be null


class FederatedLearning(Section):
    """Who trains how much, and how the server averages."""

    default_epochs: ClassVar[int] = 1  # where neither local_epochs nor local_steps is given

    algorithm: str = Field("fedavg", description="a registered name, or my_package.module:MyClass")
    algorithm_params: dict[str, Any] = Field(
        default_factory=dict, description="the algorithm's hyper-parameters"
    )
    num_clients: int | None = Field(
        NUM_CLIENTS, ge=1, description="clients; null for partition `site` (one per site)"
    )
    clients_per_round: int | None = Field(
        None, ge=1, description="clients sampled each round; null for all"
    )
    rounds: int = Field(20, ge=1, description="communication rounds")
    local_epochs: int | None = Field(
        None,
        ge=1,
        description="passes over a client's data in a round (1 unless local_steps is set)",
    )
    local_steps: int | None = Field(
        None, ge=1, description="optimiser steps per client and round, instead of local_epochs"
    )
    weighting: Literal["samples", "uniform"] = Field(
        "samples", description="weight of a client in averages: its training samples, or equal"
    )
    evaluate_every: int = Field(1, ge=1, description="rounds between evaluations")
    target: float | None = Field(
        None,
        gt=0,
        le=1,
        description="value of the primary metric on validation samples, for rounds-to-target and "
        "bytes-to-target",
        json_schema_extra=neutral(None),
    )

    @model_validator(mode="before")
    @classmethod
    def _has_no_target_of_test_accuracy(cls, values: Any) -> Any:
        """Refuse the key of earlier versions; null, as in their runs' files, meant no target."""
        if isinstance(values, dict) and "target_accuracy" in values:
            values = dict(values)
            if values.pop("target_accuracy") is not None:
                raise ValueError(
                    "target_accuracy is now called target, and is a value of the primary metric "
                    "(`primary`, balanced accuracy for most data) on validation samples"
                )
        return values

    @field_validator("algorithm")
    @classmethod
    def _names_an_algorithm(cls, word: str) -> str:
        return _name_or_class(word, "my_package.module:MyClass")

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


class Model(Section):
    """The network."""

    name: str = Field("cnn", description="a built-in network, or my_package.module:MyNet")
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of a network of one's own",
        json_schema_extra=neutral({}),
    )
    normalization: Literal["batch", "group"] = Field(
        "batch", description="batch norm, or group norm in its place"
    )
    pretrained: bool = Field(False, description="start from torchvision's ImageNet weights")
    fusion: Literal["early", "late"] = Field(
        "early",
        description="images of several modalities: one backbone for all channels, or one for each "
        "modality and one head",
    )

    @field_validator("params")
    @classmethod
    def _reads_numbers(cls, params: dict[str, Any]) -> dict[str, Any]:
        """Take `1e-3` for the number that it is: YAML reads it as a text without a point."""
        return {key: _number(value) for key, value in params.items()}

    @field_validator("name")
    @classmethod
    def _names_a_network(cls, word: str) -> str:
        return _name_or_class(word, "my_package.module:MyNet")


class Training(Section):
    """The local optimiser and where it runs."""

    batch_size: int = Field(32, ge=1, description="images per step of a client")
    patch: Annotated[int, Field(ge=8)] | list[int] | None = Field(
        None,
        description="train on random patches of this side (or these sides) and evaluate by a "
        "sliding window; null for whole images",
    )
    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="the clients' optimiser")
    learning_rate: float = Field(0.05, gt=0, description="the clients' learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of the clients' optimiser")
    lr_schedule: Literal["constant", "cosine", "step", "exponential"] = Field(
        "constant", description="how the learning rate changes over rounds"
    )
    lr_gamma: float = Field(0.1, gt=0, le=1, description="factor of `step` and `exponential`")
    lr_milestones: list[float] = Field(
        default_factory=lambda: [0.5, 0.75],
        description="`step`: fractions of all rounds after which the rate falls",
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

    warmup_rounds: int = Field(0, ge=0, description="rounds of linear warm-up")
    clip_norm: float | None = Field(None, gt=0, description="limit of the 2-norm of each gradient")
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="bfloat16 arithmetic; auto: on a GPU that has it"
    )
    device: str = Field(
        "auto", description="auto, cpu, cuda or cuda:<index>", json_schema_extra=PLACE
    )
    threads: int = Field(
        1, ge=1, le=1024, description="CPU threads of one run", json_schema_extra=PLACE
    )
    images: Literal["auto", "memory", "disk"] = Field(
        "auto",
        description="where a run keeps its images: in the device's memory, or on the disk, read "
        "batch by batch with the same result; auto: in memory where they fit into memory_limit",
        json_schema_extra=PLACE,
    )
    memory_limit: float | None = Field(
        None,
        gt=0,
        description="GiB of images that auto takes into memory; null: half of what is free",
        json_schema_extra=PLACE,
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


class Keep(Section):
    """What a run keeps in its folder beside its numbers; no number changes by it."""

    predictions: bool = Field(
        True,
        description="predictions.npz: each model's probabilities on validation and test",
        json_schema_extra=KEPT,
    )


class FairnessConfig(Section):
    """Which clients decide the worst client, the spread and Jain's index."""

    min_test_samples: int = Field(
        10,
        ge=1,
        description="test samples of a client that takes part in worst client, spread and Jain's "
        "index",
        json_schema_extra=neutral(10),
    )
    min_test_patients: int = Field(
        2,
        ge=1,
        description="patients from whom these must come",
        json_schema_extra=neutral(2),
    )


class GivenSplit(Section):
    """A split that a person gives, in place of one that medfl makes."""

    split_file: str | None = Field(
        None,
        min_length=1,
        description="the table of a split to use as it is: sample,client,fold; in a grid "
        "{dataset}, {partition} and {seed} may stand in its path",
        json_schema_extra=INPUT,
    )
    allow_left_out: bool = Field(
        False,
        description="leave out samples that a given split does not name, and count them; else "
        "they are an error",
        json_schema_extra=INPUT,
    )


class SplitConfig(Section):
    """How a dataset is divided into folds."""

    min_samples: int = Field(2, ge=1, description="training samples that every client must have")
    min_val: int = Field(
        5,
        ge=1,
        description="validation samples that every client gets where the patients allow it",
        json_schema_extra=neutral(5),
    )
    min_test: int = Field(
        10,
        ge=1,
        description="test samples that every client gets where the patients allow it",
        json_schema_extra=neutral(10),
    )
    val_fraction: float = Field(
        0.15, gt=0, lt=1, description="part of all groups (patients) for validation"
    )
    test_fraction: float = Field(
        0.2, gt=0, lt=1, description="part of all groups (patients) for the test"
    )
    official_folds: bool = Field(True, description="keep the folds that a dataset brings")
    allow_divided_patients: bool = Field(
        False,
        description="take a split (a colleague's, or a dataset class's own) with a patient at two "
        "clients or in two folds, and count such patients; else it is refused",
        json_schema_extra=neutral(False),
    )

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitConfig:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction leave nothing to train on")
        return self
