"""The section `tune` of a grid, and the ranges of the arms' search spaces."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from medfl.config.base import Section, validate
from medfl.errors import MedflError

LEARNING_RATE = "training.learning_rate"
"""The setting that every search space holds."""


class SearchRange(Section):
    """An interval of a search space."""

    low: float = Field(description="the least value, itself in the range")
    high: float = Field(description="the largest value")
    scale: Literal["log", "linear"] = Field("log", description="on which values are spread evenly")
    relative: bool = Field(
        False, description="low and high are factors of the value that the arm is shipped with"
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> SearchRange:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}: they are swapped")
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low:g}, which is one point: widen it")
        if self.low <= 0 and (self.scale == "log" or self.relative):
            what = "a logarithmic range" if self.scale == "log" else "a factor"
            raise ValueError(f"low is {self.low:g}, but {what} begins above 0")
        return self


class Tune(Section):
    """How every arm is tuned, each with the same number of points of its own search space."""

    points: int = Field(
        ge=2,
        le=1000,
        description="points of each search space; the first is what the arm is shipped with",
    )
    seed: int = Field(
        1000, ge=0, description="of the training of all points; the comparison may not have it"
    )
    folds: Literal["each", "first"] = Field(
        "each",
        description="each: every seed of the comparison is tuned on the training and validation "
        "samples of its own folds; first: on those of the first seed alone, where the test samples "
        "of all seeds are the same",
    )
    learning_rate: SearchRange = Field(
        SearchRange(low=0.1, high=10.0, relative=True),
        description="the range of training.learning_rate of arms whose search does not name it",
    )


def read_space(content: Any, where: str) -> dict[str, SearchRange | list[Any]]:
    """What is searched of an arm: setting → a range, or the list of its values.

    A setting is a hyper-parameter of the arm's algorithm, or a path such as
    ``training.weight_decay``.

    Raises:
        MedflError: a range is none, or a list leaves no choice; it begins with ``where``.
    """
    if not isinstance(content, dict):
        raise MedflError(f"{where}: a range or a list of values is meant for each setting by name.")
    return {str(key): _searched(value, f"{where}.{key}") for key, value in content.items()}


def _searched(value: Any, where: str) -> SearchRange | list[Any]:
    if isinstance(value, dict):
        inner = next(iter(value), None)
        if inner not in SearchRange.model_fields and isinstance(value.get(inner), dict | list):
            raise MedflError(f"{where}: write it as a path, `{where.split('.')[-1]}.{inner}`.")
        return validate(SearchRange, value, where)
    if not isinstance(value, list):
        raise MedflError(
            f"{where}: a range such as {{low: 0.01, high: 1}} or a list of values is meant."
        )
    different = [one for number, one in enumerate(value) if one not in value[:number]]
    if len(different) < len(value):
        raise MedflError(f"{where}: a value stands there twice.")
    if len(value) < 2:
        raise MedflError(f"{where}: a list of {len(value)} leaves nothing to search: give two.")
    return value
