"""What a YAML file that describes a dataset may say, and what is taken where it says nothing.

Two lines are enough: ``folder:`` alone (each subfolder is a class), or ``folder:`` and ``table:``
with the columns ``file, label`` and, better, ``patient`` and ``site``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from medfl.datasets.described.fact_sections import Folds, Labels, Origin, PatientRules, SiteRules
from medfl.datasets.described.sections import Columns, Described, Modality, Preset, StatedFrames

NAME = r"[A-Za-z][A-Za-z0-9_-]*"
Format = Literal["auto", "image", "dicom", "dicom-series", "nifti", "npz"]


class Description(Described):
    """The whole file."""

    name: str = Field("", pattern=rf"^({NAME})?$", description="the file's name if left out")
    title: str = Field("", description="to print; the name if left out")
    licence: str = "not stated"
    citation: str = "none stated"
    folder: str = Field(
        "", description="the images' folder: from this file's place, or from the data root"
    )
    files: str = Field("", description="which of its files, such as '**/*.dcm'; all images if not")
    format: Format = Field("auto", description="auto: by each file's ending")
    file_names: Literal["auto", "hide", "show"] = Field(
        "auto",
        description="paths in outputs: auto hides parts that may name a person by what DICOM "
        "headers and the table say, and all but counted ones where nothing says it; hide: all but "
        "counted ones; show: none",
    )
    table: str = Field("", description="a CSV file: from this file's place, or from `folder`")
    columns: Columns = Columns()
    labels: Labels = Labels()
    patient: PatientRules = PatientRules()
    site: SiteRules = SiteRules()
    fold: Folds = Folds()
    segmentations: Literal["leave_out", "keep"] = Field(
        "leave_out",
        description="files that are called like a segmentation of an image beside them "
        "(x_mask.png, masks/x.png); keep: as images",
    )
    frame: Literal["only", "first", "middle"] | int = Field(
        "only",
        description="which frame DICOM files of several give: first, middle, or a number from 0",
    )
    modality: Preset = Field(
        "", description="a preset: ct, mri, xray, ultrasound, dermatoscopy, photo, none; auto by "
        "the DICOM header, else none"
    )  # fmt: skip
    preprocess: dict[str, Any] = Field(default_factory=dict, description="changes to the preset")
    size: int = Field(64, ge=8, le=2048, description="pixels (voxels) of a side, by default")
    modalities: dict[str, Modality] = Field(
        default_factory=dict, description="the images of a multi-modal sample by name"
    )
    fusion: Literal["early", "late"] = Field(
        "early", description="modalities as channels of one image, or a backbone for each"
    )
    frames: StatedFrames = Field(
        "stated",
        description="modalities are resampled to the first one's voxels by where their files say "
        "they lie; ignore: they were registered before, and are stacked as they are stored",
    )
    base: str = Field("", description="a dataset of the catalog, to prepare in another way")
    kind: str = Field(
        "", alias="class", description="my_package.module:MyClass, a CustomMedicalDataset"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of that class")

    @field_validator("frame", mode="before")
    @classmethod
    def _is_a_frame(cls, value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if (whole and value >= 0) or value in ("only", "first", "middle"):
            return value
        raise ValueError("write first, middle or a number from 0")

    @field_validator("folder")
    @classmethod
    def _has_a_home(cls, value: str) -> str:
        try:
            Path(value).expanduser()
        except RuntimeError as error:
            raise ValueError("there is no such user's home: write the whole path") from error
        return value

    @field_validator("modalities")
    @classmethod
    def _differ(cls, values: dict[str, Modality]) -> dict[str, Modality]:
        seen: dict[str, str] = {}
        for name, one in values.items():
            if one.files and seen.setdefault(one.files, name) != name:
                raise ValueError(f"`{seen[one.files]}` and `{name}` are the same files")
        return values

    @field_validator("name")
    @classmethod
    def _has_no_size(cls, value: str) -> str:
        return check_name(value) if value else value

    @model_validator(mode="after")
    def _has_one_source(self) -> Description:
        given = [bool(self.folder or self.table), bool(self.base), bool(self.kind)]
        if sum(given) != 1:
            raise ValueError(
                "say where the data are: `folder` (and `table`), or `base`, or `class`"
            )
        if self.options and not self.kind:
            raise ValueError("`options` are arguments of a `class`, which is not given")
        own = {"files", "format", "frame", "file_names", "columns", "patient", "site", "modalities"}
        own |= {"fusion", "frames", "fold", "segmentations"}
        if self.columns.dicom and (self.modalities or not self.table):
            raise ValueError(
                "`columns.dicom` brings a `table` and DICOM files of one modality together"
            )
        if self.base and (odd := own & self.model_fields_set):
            raise ValueError(f"`base` brings its own `{min(odd)}`: leave it out")
        ruled = {"patient", "site"}  # what a class gives of them may be read in other ways
        if self.kind and (odd := (own - ruled | {"labels"}) & self.model_fields_set):
            raise ValueError(f"the `class` decides `{min(odd)}`: leave it out")
        for part in (self.patient, self.site) if self.kind else ():
            if odd := set(Origin.model_fields) & part.model_fields_set:
                raise ValueError(f"the `class` decides where they stand: leave `{min(odd)}` out")
        return self


def check_name(name: str) -> str:
    """Check a dataset's name: it names folders, and ``-<number>`` at its end would be a size."""
    if not re.fullmatch(NAME, name):
        raise ValueError(f"`{name}` must be of letters, digits, `_` and `-`, a letter first")
    if re.search(r"-\d+$", name):
        raise ValueError(f"`{name}` ends like a size (`<name>-<pixels>`): write {name}px or so")
    return name
