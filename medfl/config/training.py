"""The section `training`: the local optimiser, and where and on how many cores it runs."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from medfl.config.base import Section
from medfl.config.deciding import PLACE, neutral
from medfl.config.held import Strength


class Training(Section):
    """The local optimiser and where it runs."""

    batch_size: int = Field(32, ge=1, description="images per step of a client")
    patch: Annotated[int, Field(ge=8)] | list[int] | None = Field(
        None,
        description="train on random patches of this side (or these sides) and evaluate by a "
        "sliding window; null for whole images",
    )
    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="the clients' optimiser")
    learning_rate: Strength = Field(0.05, gt=0, description="the clients' learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of SGD")
    weight_decay: Strength = Field(0.0, ge=0, description="weight decay of the clients' optimiser")
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
    class_balanced_beta: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="β of the class-balanced loss, by each client's own label counts; 0 is the "
        "plain loss",
        json_schema_extra=neutral(0.0),
    )
    clip_norm: float | None = Field(None, gt=0, description="limit of the 2-norm of each gradient")
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="bfloat16 arithmetic; auto: on a GPU that has it"
    )
    device: str = Field(
        "auto", description="auto, cpu, cuda or cuda:<index>", json_schema_extra=PLACE
    )
    cuda_graphs: Literal["auto", "off"] = Field(
        "auto",
        description="launch a training step on a GPU at once, with the same result; auto: where "
        "the network and the algorithm allow it",
        json_schema_extra=PLACE,
    )
    threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="CPU threads that compute one step together",
        json_schema_extra=PLACE,
    )
    workers: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto",
        description="clients that train side by side on CPUs, with the same result; auto: as many "
        "as there are cores, or one in a job of a grid",
        json_schema_extra=PLACE,
    )
    images: Literal["auto", "memory", "disk"] = Field(
        "auto",
        description="where a run keeps its images: in the device's memory, or on the disk, read "
        "batch by batch with the same result; auto: in memory where they fit into memory_limit",
        json_schema_extra=PLACE,
    )
    client_state: Literal["auto", "memory", "disk"] = Field(
        "auto",
        description="where a run keeps what its clients keep from round to round (SCAFFOLD's "
        "control variates, personal models): in the device's memory, or in a file of the run's "
        "folder with the same result; auto: in memory where all of it fits into memory_limit",
        json_schema_extra=PLACE,
    )
    memory_limit: float | None = Field(
        None,
        gt=0,
        description="GiB that auto takes into memory, of images and again of clients' states; "
        "null: half of what is free",
        json_schema_extra=PLACE,
    )

    @field_validator("mixed_precision", "cuda_graphs", mode="before")
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

    @model_validator(mode="after")
    def _uses_cores_in_one_way(self) -> Training:
        if self.workers != "auto" and min(self.workers, self.threads) > 1:
            raise ValueError(
                f"workers is {self.workers} and threads {self.threads}: clients that train side by "
                "side have one thread each, so set one of the two to 1"
            )
        return self
