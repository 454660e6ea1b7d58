"""The section `privacy`, a shorthand: validation moves what stands there into the update chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from medfl.config.base import Section
from medfl.config.deciding import neutral

LEAST, MOST = 1e-15, 1e15  # beyond, noise has no 32-bit number, or ε no 64-bit one


def _computable(value: float) -> float:
    if value and not LEAST <= value <= MOST:
        raise ValueError(
            f"nothing can be computed with it: write a number from {LEAST:g} to {MOST:g}"
        )
    return value


NoiseMultiplier = Annotated[float, Field(ge=0), AfterValidator(_computable)]
GradientNorm = Annotated[float, Field(gt=0), AfterValidator(_computable)]
Epsilon = Annotated[float, Field(gt=0)]
Delta = Annotated[float, Field(gt=0, lt=1)]

PER_SAMPLE = ("dp_image", "dp_patient")
"""The links under which batch norm, which mixes samples, cannot stand."""
DP_LINKS = (*PER_SAMPLE, "dp_hospital")
_SETTINGS = ("noise_multiplier", "max_grad_norm", "target_epsilon", "target_delta", "secure")
_PROTECTIONS = ("differential_privacy", "secure_aggregation", "encryption")
UNITS = ("image", "patient", "hospital")
_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")


class Privacy(Section):
    """How the updates are protected; each key stands for a link of the update chain.

    `differential_privacy: true` protects single images; patients and whole hospitals are named.
    Where noise_multiplier and target_epsilon are both given, the noise is as given, and a client
    stops when its budget is spent; where one is given, the other follows from it.
    """

    mechanism: Literal["none"] = Field(
        "none", description="as in older run files; the other keys say what protects"
    )
    differential_privacy: bool | Literal["image", "patient", "hospital"] = Field(
        False,
        description="what one ε protects; true: an image; patient: all images of a patient, or of "
        "what else the dataset's groups are",
        json_schema_extra=neutral(False),
    )
    noise_multiplier: NoiseMultiplier | None = Field(
        None,
        description="the noise's deviation divided by max_grad_norm; null: what target_epsilon "
        "needs",
        json_schema_extra=neutral(None),
    )
    max_grad_norm: GradientNorm | None = Field(
        None,
        description="the norm to which what one image, patient or hospital adds is clipped",
        json_schema_extra=neutral(None),
    )
    target_epsilon: Epsilon | None = Field(
        None, description="the budget of each client", json_schema_extra=neutral(None)
    )
    target_delta: Delta | None = Field(
        None, description="the δ of the budget", json_schema_extra=neutral(None)
    )
    secure: bool = Field(
        False,
        description="draw noise and samples from the system's source, so that nobody can repeat "
        "the run",
        json_schema_extra=neutral(False),
    )
    secure_aggregation: bool | dict[str, Any] = Field(
        False,
        description="whether the server sees the sum of the updates alone; or the settings of the "
        "link secure_aggregation",
        json_schema_extra=neutral(False),
    )
    encryption: bool | Literal["ckks"] | dict[str, Any] = Field(
        False,
        description="whether updates are encrypted and summed unread (ckks, or true); or the "
        "settings of the link ckks",
        json_schema_extra=neutral(False),
    )

    @field_validator("differential_privacy", mode="before")
    @classmethod
    def _is_a_unit(cls, value: Any) -> Any:
        word = value.lower() if isinstance(value, str) else value
        if isinstance(word, bool | int) or word in (*UNITS, *_BOOLEANS):
            return word
        raise ValueError(
            "write image, patient or hospital (true means image; false is none); patient protects "
            "what the dataset's groups are, such as lesions"
        )

    @model_validator(mode="after")
    def _says_what_is_protected(self) -> Privacy:
        on = [key for key in _PROTECTIONS if getattr(self, key) is not False]
        if on and "mechanism" in self.model_fields_set:
            raise ValueError(f"mechanism is none, and {on[0]} is on: leave one of them out")
        given = list(self._settings())
        if given and "differential_privacy" not in self.model_fields_set:
            raise ValueError(
                f"{given[0]} is given, but not what it protects: add differential_privacy: image, "
                "patient or hospital (true means image; false switches it off)"
            )
        return self

    def links(self) -> dict[str, dict[str, Any]]:
        """The links that the section stands for, with their parameters."""
        found: dict[str, dict[str, Any]] = {}
        if self.differential_privacy:
            unit = self.differential_privacy
            found["dp_image" if unit is True else f"dp_{unit}"] = self._settings()
        for key, link in (("secure_aggregation", "secure_aggregation"), ("encryption", "ckks")):
            value = getattr(self, key)
            if value is not False:
                found[link] = value if isinstance(value, dict) else {}
        return found

    def _settings(self) -> dict[str, Any]:
        """What is given of the settings of differential privacy."""
        values = {key: getattr(self, key) for key in _SETTINGS}
        return {
            key: value
            for key, value in values.items()
            if value is not None and value is not False  # a noise of 0 is given
        }


def privacy_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's section ``over`` that of its grid; either may say `mechanism: none`.

    Over protection it switches all of it off. Under protection it is no longer true.
    """
    if over.get("mechanism") == "none":
        return dict(over)
    kept = {key: value for key, value in under.items() if key != "mechanism" or not over}
    return {**kept, **over}
