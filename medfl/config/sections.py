"""The smaller sections of a run: learning, network, what is kept, fairness, folds."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from medfl.config.base import Section
from medfl.config.deciding import INPUT, KEPT, neutral
from medfl.config.numbers import MOST_ROUNDS, MOST_STEPS, NUMBER

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
    rounds: int = Field(20, ge=1, le=MOST_ROUNDS, description="communication rounds")
    local_epochs: int | None = Field(
        None,
        ge=1,
        le=MOST_STEPS,
        description="passes over a client's data in a round (1 unless local_steps is set)",
    )
    local_steps: int | None = Field(
        None,
        ge=1,
        le=MOST_STEPS,
        description="optimiser steps per client and round, instead of local_epochs",
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
    test_seed: int | None = Field(
        None,
        ge=0,
        description="draws one test fold for all seeds, where none that a dataset brings is kept; "
        "null: each seed draws its own",
        json_schema_extra=neutral(None),
    )
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
