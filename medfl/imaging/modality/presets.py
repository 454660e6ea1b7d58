"""The settings of preprocessing, and a preset of them for each modality."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from medfl.config import Section, did_you_mean, validate
from medfl.errors import MedflError
from medfl.imaging.codes import meaning_of
from medfl.imaging.images import Fit
from medfl.imaging.windows import parse_window

PresetName = Literal["ct", "mri", "xray", "ultrasound", "dermatoscopy", "photo", "none"]


class Preprocess(Section):
    """How a scanner's values become what a network is shown."""

    modality: PresetName = Field("none", description="the preset that these settings started from")
    intensity: Literal["window", "file", "percentile", "zscore", "full", "raw"] = Field(
        "file",
        description="what becomes black to white: `windows`; what the file asks for (else all of "
        "8 bits, else percentiles); percentiles; the robust z-score; the full range; or nothing: "
        "int16 in the scanner's own units",
    )
    windows: tuple[str | tuple[float, float], ...] = Field(
        ("soft_tissue",),
        min_length=1,
        description="`window`: names or [centre, width] in Hounsfield units; several give a "
        "channel each",
    )
    percentiles: tuple[float, float] = Field(
        (0.5, 99.5), description="shown black and white by `percentile`"
    )
    zscore_limit: float = Field(
        4.0, gt=0, description="standard deviations from the median shown black and white"
    )
    n4: bool = Field(False, description="correct the coil's bias field (needs medfl[n4])")
    clahe: bool = Field(False, description="even out the contrast over the image")
    clahe_clip: float = Field(0.01, gt=0, le=1, description="limit of that; higher: stronger")
    sector_crop: bool = Field(False, description="keep the ultrasound fan, drop what is outside")
    despeckle: bool = Field(False, description="smooth ultrasound speckle, keep edges")
    despeckle_width: int = Field(5, ge=3, le=31, description="pixels of that filter's window")
    colour_constancy: Literal["none", "shades_of_grey", "grey_world"] = Field(
        "none", description="take the colour of the light out"
    )
    crop_borders: bool = Field(False, description="cut uniform margins off")
    fit: Fit = Field("pad", description="what happens to an oblong image")
    channels: Literal[1, 3] = Field(1, description="1: luminance; 3: colour, or grey repeated")

    @field_validator("windows", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        """A lone window may stand without the outer brackets."""
        if isinstance(value, str):
            return (value,)
        lone = isinstance(value, list | tuple) and len(value) == 2
        if lone and all(isinstance(part, int | float) for part in value):
            return (tuple(value),)
        return value

    @field_validator("windows")
    @classmethod
    def _are_windows(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for window in value:
            try:
                parse_window(window)
            except MedflError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("percentiles")
    @classmethod
    def _rise(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 100:
            raise ValueError("write two that rise, between 0 and 100, such as [0.5, 99.5]")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Preprocess:
        if self.intensity == "window" and self.channels == 3 and len(self.windows) not in (1, 3):
            raise ValueError(
                f"{len(self.windows)} windows give {len(self.windows)} channels, not 3: leave "
                "`channels` at 1, or give 1 or 3 windows"
            )
        if self.intensity == "raw":
            for step in ("clahe", "despeckle"):
                if getattr(self, step):
                    raise ValueError(f"`{step}` would change the raw units; leave one of them out")
        return self

    @property
    def channel_count(self) -> int:
        """How many channels come out."""
        several = self.intensity == "window" and len(self.windows) > 1
        return len(self.windows) if several else self.channels

    @property
    def dtype(self) -> Literal["uint8", "int16"]:
        """What ``to_store`` gives."""
        return "int16" if self.intensity == "raw" else "uint8"


PRESETS: dict[str, Preprocess] = {
    "ct": Preprocess(
        modality="ct", intensity="window", windows=("lung", "soft_tissue", "bone"), channels=3
    ),
    "mri": Preprocess(modality="mri", intensity="zscore"),
    "xray": Preprocess(modality="xray", intensity="file", crop_borders=True),
    "ultrasound": Preprocess(
        modality="ultrasound", intensity="file", sector_crop=True, despeckle=True
    ),
    "dermatoscopy": Preprocess(
        modality="dermatoscopy",
        intensity="full",
        colour_constancy="shades_of_grey",
        crop_borders=True,
        fit="crop",
        channels=3,
    ),
    "photo": Preprocess(modality="photo", intensity="full", fit="crop", channels=3),
    "none": Preprocess(modality="none", channels=3),
}


def preset_for(modality: str) -> str:
    """The preset's name for a DICOM modality code, such as ``MR``; ``none`` for others."""
    meaning = meaning_of(modality)
    return "none" if meaning is None else meaning.preprocessing


def preset_name(word: str) -> str:
    """Find a preset by what people write, ``CT``, or by DICOM's code, ``DX``.

    A word that is neither is given back: ``preprocess_for`` refuses it.
    """
    name = word.strip().lower()
    return name if name in PRESETS or preset_for(word) == "none" else preset_for(word)


def preprocess_for(
    modality: str, overrides: dict[str, Any] | None = None, where: str = "preprocessing"
) -> Preprocess:
    """Make the settings of a preset, with some of one's own in their place.

    Args:
        modality: a key of ``PRESETS``, in any case, or DICOM's code for one.
        overrides: settings by name, as read from YAML.
        where: what an error names, such as the YAML file.
    """
    overrides = dict(overrides or {})
    modality = preset_name(str(overrides.pop("modality", modality)))
    if modality not in PRESETS:
        raise MedflError(f"{where}: unknown modality `{modality}`{did_you_mean(modality, PRESETS)}")
    preset = PRESETS[modality].model_dump()
    if "windows" in overrides and "channels" not in overrides:
        preset["channels"] = 1  # as many as there are windows
    return validate(Preprocess, {**preset, **overrides}, where)
