"""The sections of a description: where columns, labels, patients and modalities are to be found."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from medfl.config import Section
from medfl.imaging.modality import preset_name
from medfl.store.table import COLUMNS

Preset = Annotated[str, AfterValidator(preset_name)]


def _word(value: Any) -> Any:
    """Take a class or cell, even a number, as a word; refuse the truth that YAML makes of yes."""
    if isinstance(value, bool):
        raise ValueError(
            f"YAML reads this word as {str(value).lower()}: put it in quotes, as in 'yes'"
        )
    return "" if value is None else str(value).strip()


class Described(Section):
    """A section some of whose keys are words that Python keeps for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Columns(Described):
    """Which column of the table holds what. A standard name need not be stated."""

    file: str | dict[str, str] | None = Field(
        None,
        description="path below `folder`, name, or name without ending; a column for each modality "
        "of multi-modal samples ({t1: t1_file, flair: flair_file}). Standard: file",
    )
    id: str | None = Field(None, description="what {id} is in `modalities`. Standard: id")
    dicom: str | dict[str, str] | None = Field(
        None,
        description="instead of `file`: the DICOM attribute by which the table knows its files, "
        "AccessionNumber; {AccessionNumber: acc_no} where its column has another name",
    )
    label: str | list[str] | None = Field(
        None, description="the label; or several columns of 0 and 1, a class each. Standard: label"
    )
    patient: str | None = Field(None, description="Standard: patient")
    site: str | None = Field(None, description="hospital, scanner … Standard: site")
    fold: str | None = Field(None, description="train, val or test. Standard: fold")
    attributes: list[str] = Field(
        default_factory=list,
        description="columns to keep in samples.csv as they are: none that identifies a person",
    )

    @field_validator("file", "label")
    @classmethod
    def _names_some(cls, value: Any) -> Any:
        if not value and value is not None:
            raise ValueError("names no column: leave it out for the standard name")
        return value

    @field_validator("attributes")
    @classmethod
    def _are_free(cls, values: list[str]) -> list[str]:
        for name in values:
            if name in COLUMNS:
                raise ValueError(
                    f"samples.csv has a column `{name}` of its own: rename the table's"
                )
        return values

    @model_validator(mode="after")
    def _knows_files_in_one_way(self) -> Columns:
        if self.dicom is not None and (self.file is not None or self.id is not None):
            raise ValueError("give either `dicom`, or `file` or `id`: how the table knows files")
        if isinstance(self.dicom, dict) and len(self.dicom) != 1:
            raise ValueError("`dicom` takes one attribute, as in {AccessionNumber: acc_no}")
        return self

    @property
    def key(self) -> tuple[str, str] | None:
        """The DICOM attribute by which the table knows its files, and its column."""
        if self.dicom is None:
            return None
        if isinstance(self.dicom, str):
            return self.dicom, self.dicom
        return next(iter(self.dicom.items()))


class Labels(Described):
    """Where the labels stand and which count."""

    source: Literal["auto", "table", "folder", "dicom"] = Field(
        "auto", alias="from", description="auto: the table if there is one, else the folders"
    )
    level: int = Field(1, ge=1, description="of `folder`: which folder below `folder`, from 1")
    attribute: str = Field("", description="of `dicom`: a keyword, such as StudyDescription")
    separator: str = Field("", description="parts the labels of one cell: multilabel")
    classes: list[str] = Field(
        default_factory=list, description="their order; all that occur, sorted, if left out"
    )
    task: Literal["multiclass", "multilabel"] | None = Field(
        None, description="multilabel where there are several label columns or a separator"
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        alias="map",
        description="labels to other labels, before anything else; to '' where it means no label",
    )
    ignore: list[str] = Field(
        default_factory=list, description="samples with these labels are left out, and counted"
    )

    @field_validator("classes", "ignore", mode="before")
    @classmethod
    def _are_words(cls, value: Any) -> Any:
        return [_word(part) for part in value] if isinstance(value, list) else value

    @field_validator("rename", mode="before")
    @classmethod
    def _maps_words(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_word(key): _word(part) for key, part in value.items()}

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
    level: int = Field(1, ge=1, description="of `folder`: which folder below `folder`, from 1")
    pattern: str = Field("", description="of `name`: a regular expression with one (group)")
    attribute: str = Field("", description="of `dicom`: a keyword, such as InstitutionName")

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from error
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


def _infer_source(value: Any, known: dict[str, str]) -> Any:
    """Infer the source from a key that only it has: ``attribute`` alone means the header."""
    if isinstance(value, dict) and "from" not in value:
        for key, source in known.items():
            if key in value:
                return {"from": source, **value}
    return value


class Modality(Described):
    """One of the images of a multi-modal sample. A lone word is short for ``{files: word}``."""

    files: str = Field(
        "", description="path below `folder`, with {id} for the sample's name: {id}_t1.nii.gz"
    )
    modality: Preset = Field("", description="a preset: ct, mri, xray …; else the dataset's own")
    preprocess: dict[str, Any] = Field(default_factory=dict, description="changes to the preset")

    @model_validator(mode="before")
    @classmethod
    def _lone_word(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str) else value

    @field_validator("files")
    @classmethod
    def _has_an_id(cls, value: str) -> str:
        if value and value.count("{id}") != 1:
            raise ValueError("write {id} once, where the sample's name stands: '{id}_t1.nii.gz'")
        return value
