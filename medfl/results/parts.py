"""The form of what a record repeats from other files: a split's measurement, a search's choice.

They are kept as they are, whatever else stands in them. What tables and pages read is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class _Known(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)


class _Client(_Known):
    classes: dict[str, int | None] | None = None


class _Distance(_Known):
    pairwise_mean: float | None = None


class MeasuredPart(_Known):
    """How different a split's clients are (``medfl.partition.heterogeneity``)."""

    clients: list[_Client] | None = None
    client_names: list[str] | None = None
    label_distance: _Distance | None = None


class _Point(_Known):
    values: dict[str, Any]
    status: str
    validation: float | None


class SearchPart(_Known):
    """What was searched for a run's values (``chosen.json``)."""

    chosen: int = Field(ge=1)
    values: dict[str, Any]
    metric: str | None
    folds_of_seed: int
    data: dict[str, str]
    points: list[_Point]

    @model_validator(mode="after")
    def _one_is_chosen(self) -> SearchPart:
        if self.chosen > len(self.points):
            raise ValueError("it chose a point that is not there")
        return self


class OriginPart(_Known):
    """Where a run comes from: only the search has parts that are read."""

    tuning: SearchPart | None = None


def of_form(kind: type[BaseModel]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A check that gives a part as it is, or says in no word of its own that its form is wrong."""

    def check(part: dict[str, Any]) -> dict[str, Any]:
        try:
            kind.model_validate(part)
        except ValidationError:
            raise ValueError("a part of it is not what medfl writes") from None
        return part

    return check
