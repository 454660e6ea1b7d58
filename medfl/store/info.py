"""What a store's ``dataset.yaml`` says: which dataset it holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from medfl.files import OWN_HASH

PATIENT = "patient"


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class DatasetInfo:
    """What a dataset is.

    Attributes:
        name: the catalog's name, without a size.
        title: the name to print.
        classes: class names; a label is an index into them.
        task: one class an image (``multiclass``), or any number (``multilabel``).
        modality: DICOM modality code (DX, CT, MR …) or XC for photographs.
        synthetic: True where the images are simulated: nothing follows for real data.
        citation: the paper to cite.
        licence: the licence of the images.
        channels: names of the channels, where they have any (windows, sequences).
        branches: how many channels each modality of a multi-modal sample has; empty where there is
            one modality.
        spacing: size of a voxel along depth, height and width, mm; empty for images.
        mean: mean of pixel / full range (255, or 32767 for int16) for each channel, measured on the
            training images where the store has official folds, else on all images.
        std: standard deviation of those values.
        source_fingerprint: SHA-256 over the source files.
        images_sha256: SHA-256 of ``images.npy``.
        store_sha256: SHA-256 of the whole store: of ``samples.csv``, ``images_sha256`` and what
            else decides results (``deciding``); empty in older stores.
        notes: what a user of the data should know.
        undecided_patients: how many ids occur at more than one site while nobody has said whether
            each is one patient; splits are refused until somebody does.
        group: what a sample's group is, in one word: a patient, a lesion, or an image where the
            publisher says no more. A privacy that protects groups is called by it.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    task: Literal["multiclass", "multilabel"]
    modality: str
    synthetic: bool
    citation: str
    licence: str
    channels: tuple[str, ...] = ()
    branches: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    source_fingerprint: str = ""
    images_sha256: str = ""
    store_sha256: str = ""
    notes: str = ""
    undecided_patients: int = 0
    group: str = PATIENT

    def deciding(self) -> str:
        """What of this decides results, in a form that is hashed: the same for the same values."""
        names = ("classes", "task", "modality", "channels", "branches", "spacing", "mean", "std")
        return json.dumps([getattr(self, name) for name in names])


def to_plain(info: DatasetInfo) -> dict[str, Any]:
    """What ``dataset.yaml`` holds."""
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(info).items()}
    if not info.undecided_patients:  # as in stores from before the field
        del plain["undecided_patients"]
    if info.group == PATIENT:
        del plain["group"]
    return plain


def from_plain(content: Any) -> DatasetInfo:
    """Read what ``to_plain`` made; ``ValueError`` naming the fields where it is something else."""
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key != OWN_HASH}
    try:
        info = TypeAdapter(DatasetInfo).validate_python(content)
    except ValidationError as error:
        what = "; ".join(
            f"{_field(problem['loc'])}: {problem['msg']}".removeprefix(": ")
            for problem in error.errors()
        )
        raise ValueError(what) from error
    if len(set(info.classes)) < len(info.classes):
        raise ValueError("classes: one stands there twice")
    return info


def _field(place: tuple[int | str, ...]) -> str:
    """Where a mistake is; of a key that is none of a store's, a damaged file alone knows."""
    known = {one.name for one in fields(DatasetInfo)}
    return ".".join(str(part) if part in known or isinstance(part, int) else "…" for part in place)


def undecided_ids(patients: int, samples: int = 0, examinations: int = 0) -> str:
    """Say that ids of patients occur at more than one site, and what a user has to say of them.

    Args:
        patients: how many ids.
        samples: that have them.
        examinations: how many of the ids have one examination at more than one site.
    """
    of = f" ({samples:,} samples)" if samples else ""
    hint = f" ({examinations:,} of them with one examination at both)" if examinations else ""
    return (
        f"{patients:,} patients{of} have an id that occurs at more than one site{hint}, and nobody "
        "can know whether that is one person. Say in the description `patient: {ids: by_site}` "
        "where each site numbers its own patients, or `patient: {ids: shared}` where an id is one "
        "person everywhere; until then no split is made"
    )
