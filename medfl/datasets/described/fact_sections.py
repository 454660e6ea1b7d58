"""The sections of a description that say where labels, patients, sites and folds stand."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from medfl.datasets.described.sections import Described


def _word(value: Any) -> Any:
    """Take a class or cell, even a number, as a word; refuse the truth that YAML makes of yes."""
    if isinstance(value, bool):
        raise ValueError(
            f"YAML reads this word as {str(value).lower()}: put it in quotes, as in 'yes'"
        )
    return "" if value is None else str(value).strip()


def _words(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("a list is meant: put it in brackets, as in [this, that]")
    return [_word(part) for part in value] if isinstance(value, list) else value


def _words_to_words(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {_word(key): _word(part) for key, part in value.items()}


class Labels(Described):
    """Where the labels stand and which count."""

    source: Literal["auto", "table", "folder", "dicom"] = Field(
        "auto", alias="from", description="auto: the table if there is one, else the folders"
    )
    level: int = Field(
        1,
        ge=1,
        description="`folder`: which folder below `folder`, from 1. Left out, the first level "
        "that is no wrapping folder, no folds and no parts, nor patients and sites by this file",
    )
    attribute: str = Field("", description="`dicom`: a keyword, such as StudyDescription")
    separator: str = Field("", description="parts the labels of one cell: multilabel")
    classes: list[str] = Field(
        default_factory=list, description="their order; all that occur, sorted, if left out"
    )
    normalise: bool = Field(
        False, description="join labels that are written in several ways: Benign, benign"
    )
    task: Literal["multiclass", "multilabel"] | None = Field(
        None, description="multilabel where there are several label columns or a separator"
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        alias="map",
        description="labels to other labels, before anything else; to '' where it means no label; "
        "'*' stands for all others",
    )
    ignore: list[str] = Field(
        default_factory=list,
        description="samples with these labels (or these cells in columns of labels, such as -1 "
        "for uncertain) are left out, and counted",
    )

    @field_validator("classes", "ignore", mode="before")
    @classmethod
    def _are_words(cls, value: Any) -> Any:
        return _words(value)

    @field_validator("rename", mode="before")
    @classmethod
    def _maps_words(cls, value: Any) -> Any:
        return _words_to_words(value)

    @property
    def words(self) -> list[str]:
        """All that is named as a label."""
        return [*self.classes, *self.rename, *self.ignore]

    @field_validator("classes")
    @classmethod
    def _are_distinct(cls, values: list[str]) -> list[str]:
        if len(set(values)) < len(values):
            raise ValueError("a class stands there twice")
        return values

    @model_validator(mode="before")
    @classmethod
    def _infer(cls, value: Any) -> Any:
        return _infer_source(value, {"attribute": "dicom", "level": "folder"})

    @model_validator(mode="after")
    def _has_attribute(self) -> Labels:
        if self.source == "dicom" and not self.attribute:
            raise ValueError("say which `attribute`, such as StudyDescription")
        return self


class Origin(Described):
    """Where a patient or a site is read from. A lone word is short for ``{from: word}``."""

    source: Literal["auto", "table", "folder", "name", "dicom", "none"] = Field(
        "auto",
        alias="from",
        description="auto: the table's column, else (DICOM) the header, else none; name: the path "
        "below `folder` by `pattern`; none: patients one an image, sites unknown",
    )
    level: int = Field(1, ge=1, description="`folder`: which folder below `folder`, from 1")
    pattern: str = Field("", description="`name`: a regular expression with one (group)")
    attribute: str = Field("", description="`dicom`: a keyword, such as InstitutionName")

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            where = f" (at character {error.pos + 1})" if error.pos is not None else ""
            raise ValueError(f"not a regular expression{where}") from error
        if value and groups != 1:
            raise ValueError("put (round brackets) around the one part that is meant")
        return value

    @model_validator(mode="before")
    @classmethod
    def _infer(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"from": value}
        known = {"pattern": "name", "attribute": "dicom", "level": "folder"}
        return _infer_source(value, known)

    @model_validator(mode="after")
    def _has_pattern(self) -> Origin:
        if self.source == "name" and not self.pattern:
            raise ValueError(r"say by which `pattern`, such as '(p\d+)_'")
        return self


class Named(Origin):
    """An origin of names, which people write in several ways, or do not know."""

    unknown: list[str] | None = Field(
        None,
        description="words that mean that nobody knows, in place of NA, NaN, None, unknown, - and "
        "the like; [] takes each word as it is",
    )
    normalise: bool = Field(
        False,
        description="join what is written in several ways: 007, 7 and 7.0; P-007, p_7 and P7",
    )

    @field_validator("unknown", mode="before")
    @classmethod
    def _are_words(cls, value: Any) -> Any:
        return _words(value)


class PatientRules(Named):
    """Where patients are read from, and which samples are of one. A lone word: ``{from: word}``."""

    ids: Literal["", "by_site", "shared"] = Field(
        "",
        description="needed where an id occurs at more than one site. by_site: each site numbers "
        "its own patients, so that they are several; shared: it is one patient",
    )
    second_site: Literal["keep", "leave_out"] = Field(
        "keep",
        description="with shared ids, a patient's samples at other sites than that of most of them",
    )

    @model_validator(mode="after")
    def _has_a_second_site(self) -> PatientRules:
        if self.second_site == "leave_out" and self.ids != "shared":
            raise ValueError("`second_site` goes with `ids: shared`")
        return self


class SiteRules(Named):
    """Where sites are read from, and what they are called. A lone word: ``{from: word}``."""

    rename: dict[str, str] = Field(
        default_factory=dict,
        alias="map",
        description="sites to other names, to join them; to '' where it means none; '*' stands for "
        "all others",
    )

    @field_validator("rename", mode="before")
    @classmethod
    def _maps_words(cls, value: Any) -> Any:
        return _words_to_words(value)


class Folds(Origin):
    """Where official folds are read from. A lone word is short for ``{from: word}``."""

    source: Literal["auto", "table", "folder", "name", "dicom", "none"] = Field(
        "auto",
        alias="from",
        description="auto: the table's column, else folders of folds above or below those of the "
        "classes; name: the path below `folder` by `pattern`; none: a split makes its own, by "
        "patient",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        alias="map",
        description="what the words mean: {fold1: test, fold2: val, '*': train}; '*' stands for "
        "all others. training, dev, Test_set … are known",
    )

    @field_validator("rename", mode="before")
    @classmethod
    def _maps_words(cls, value: Any) -> Any:
        known = _words_to_words(value)
        return (
            {key.casefold(): fold for key, fold in known.items()} if known is not value else value
        )

    @field_validator("rename")
    @classmethod
    def _gives_folds(cls, values: dict[str, str]) -> dict[str, str]:
        for word in values.values():
            if word not in ("train", "val", "test", ""):
                raise ValueError("each name can only mean train, val or test")
        return values

    @model_validator(mode="after")
    def _has_attribute(self) -> Folds:
        if self.source == "dicom" and not self.attribute:
            raise ValueError("say which `attribute`")
        return self


def _infer_source(value: Any, known: dict[str, str]) -> Any:
    """Infer the source from a key that only it has: ``attribute`` alone means the header."""
    if isinstance(value, dict) and "from" not in value:
        for key, source in known.items():
            if key in value:
                return {"from": source, **value}
    return value
