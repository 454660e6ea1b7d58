"""The sections of a description that say which columns and modalities there are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from medfl.config import Section
from medfl.imaging.modality import preset_name
from medfl.store.table import COLUMNS

StatedFrames = Literal["stated", "ignore"]
Preset = Annotated[str, AfterValidator(preset_name)]


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
        None, description="the label; or several columns of 0 and 1, one per class. Standard: label"
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
        names = [*value.values()] if isinstance(value, dict) else value
        if isinstance(names, list) and len({*names}) < len(names):
            raise ValueError("names a column twice")
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
