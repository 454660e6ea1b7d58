"""A reader of one's own: a class with one method, for data that no description fits.

Example:
    >>> class Lungs(CustomMedicalDataset):
    ...     modality = "xray"
    ...
    ...     def load_data(self):
    ...         for row in my_database():
    ...             yield {"image": row.path, "label": row.finding, "patient": row.pid}
    >>> MedicalDataLoader(Lungs()).prepare()
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medfl.config import OWN, RAW_ROOT, did_you_mean
from medfl.datasets.described.sections import StatedFrames
from medfl.errors import MedflError, naming, own_code
from medfl.files import sha256_file
from medfl.files.parallel import progress
from medfl.own_class import check_type
from medfl.own_draws import drawing
from medfl.registry import Registry, sources

if TYPE_CHECKING:
    from medfl.store import Store

LOAD_SEED = 0
"""Decides what ``load_data`` draws from the generators of the whole process."""
MOST_SAMPLES = 10_000_000

Image = str | os.PathLike[str] | np.ndarray | Callable[[], np.ndarray]


@dataclass(frozen=True)
class CustomSample:
    """One sample, as ``load_data`` gives it; a dictionary with these keys will do.

    Attributes:
        image: a file (image, DICOM, NIfTI, npz), an array ((H, W), (H, W, 3), (3, H, W) or a
            volume (D, H, W)), or a function without arguments that returns such an array, for data
            that do not fit into memory. A multi-modal sample has several, by modality's name.
        label: the class; a sample of a multilabel dataset has several, or none.
        patient: whose image it is. A patient is never divided between folds, and never written out.
        site: hospital or scanner, which is written out as it is.
        id: what makes the sample known; its number where left out. It is never written out.
        fold: train, val or test, if the dataset has such folds of its own.
        attributes: what to keep beside it, which is written out as it is.
    """

    image: Image | Mapping[str, Image]
    label: str | int | Sequence[str | int]
    patient: str | int = ""
    site: str = ""
    id: str | int = ""
    fold: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


class CustomMedicalDataset(ABC):
    """A dataset that a class of one's own reads.

    Attributes:
        name: what it is called in commands, folders and tables; from the class's name if empty.
        title: what reports call it.
        classes: class names in order; if empty, all that occur, sorted.
        task: whether an image has one class, or any number.
        modality: the preset by which pixels are made: ct, mri, xray, ultrasound …
        preprocess: changes to that preset; None where ``load_data`` gives finished arrays
            (C, size, size), uint8 or int16.
        size: side of the result where none is asked for.
        fusion: modalities as channels of one image (early), or a backbone for each (late).
        frames: ``stated`` resamples files of several modalities to the first one's voxels by where
            they say that they lie; ``ignore`` stacks them as they are stored.
        patient_rules: what a description may say of patients, as in {"ids": "by_site"},
            {"normalise": True} or {"unknown": ["999"]}.
        site_rules: what it may say of sites, as in {"normalise": True} or {"map": {"A": "B"}}.
        data_root: where raw data lies (``--data-root``, ``MEDFL_DATA``); set before ``load_data``.
    """

    name: str = ""
    title: str = ""
    classes: Sequence[str] = ()
    task: Literal["multiclass", "multilabel"] = "multiclass"
    modality: str = "none"
    preprocess: Mapping[str, Any] | None = {}
    size: int = 64
    fusion: Literal["early", "late"] = "early"
    frames: StatedFrames = "stated"
    licence: str = "not stated"
    citation: str = "none stated"
    patient_rules: Mapping[str, Any] = {}
    site_rules: Mapping[str, Any] = {}
    data_root: Path = Path(RAW_ROOT)

    @abstractmethod
    def load_data(self) -> Iterable[CustomSample | Mapping[str, Any]]:
        """Return or yield all samples, in the same order each time."""

    def create_federated_splits(
        self, store: Store, num_clients: int | None, partition: str, seed: int
    ) -> tuple[Sequence[int], Sequence[str]] | None:
        """Split the samples in one's own way, if the class has one.

        Args:
            store: the prepared samples, in the order of ``load_data``.
            num_clients: how many were asked for; None where the data decide.
            partition: the word that was asked for; ``custom`` is meant for this method alone.
            seed: the same seed must give the same split.

        Returns:
            For each sample of the store its client, from 0, and its fold (train, val or test); or
            None to leave this partition to medfl.
        """
        return None

    def fingerprint(self) -> str:
        """Hash the class's source files and plain settings: an edit makes the store again."""
        plain = (str, int, float, bool, tuple, list, dict, Path)
        settings = [(k, v) for k, v in vars(self).items() if isinstance(v, plain)]
        settings = sorted(pair for pair in settings if pair[0] != "data_root")
        digest = hashlib.sha256(repr(settings).encode())
        for file in sources(type(self)).files:
            digest.update(sha256_file(file).encode())
        return digest.hexdigest()


def class_name(dataset: CustomMedicalDataset) -> str:
    """Name a dataset; a class ``MyHospital`` that says no name is ``my-hospital``."""
    if dataset.name:
        return dataset.name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(dataset).__name__).lower()


def load_samples(dataset: CustomMedicalDataset) -> list[CustomSample]:
    """Run ``load_data``; whatever goes wrong in it is a ``MedflError`` naming class and cause."""
    name = type(dataset).__name__
    samples = []
    # One that never ends shows how far it is; what it draws is the same each time.
    bar = progress(f"{name}.load_data", None, unit="sample", delay=5)
    with bar, drawing(LOAD_SEED):
        for number, given in enumerate(_running(dataset)):
            if number == MOST_SAMPLES:
                raise MedflError(
                    f"{name}.load_data gives more than {MOST_SAMPLES:,} samples, and perhaps never "
                    "ends: let it return after the last one."
                )
            where = f"{name}.load_data, sample {number}"
            with own_code(f"{where} cannot be read", private=True):
                samples.append(_sample(given, where))
            bar.update()
    if not samples:
        raise MedflError(f"{name}.load_data gave no sample.")
    return samples


def _sample(given: Any, where: str) -> CustomSample:
    if isinstance(given, Mapping):
        given = dict(given)
        known = [one.name for one in fields(CustomSample)]
        for key in given:
            if key not in known:
                raise MedflError(f"{where}: unknown key `{key}`{did_you_mean(str(key), known)}")
        for key in ("image", "label"):
            if key not in given:
                raise MedflError(f"{where} has no `{key}`.")
        given = CustomSample(**given)
    if not isinstance(given, CustomSample):
        raise MedflError(
            f"{where} is of type {type(given).__name__}: give a dictionary with image and "
            "label, or a CustomSample."
        )
    return given


def _running(dataset: CustomMedicalDataset) -> Iterator[Any]:
    name = type(dataset).__name__
    with own_code(f"{name}.load_data failed", private=True):
        found = dataset.load_data()
        if found is None:
            raise MedflError(f"{name}.load_data: it returned nothing: return or yield samples.")
        if inspect.iscoroutine(found):  # Python would warn that nobody has waited for it
            found.close()
            raise MedflError(f"{name}.load_data: it is `async def`: write `def load_data(self)`.")
        samples = iter(found)
    while True:
        with own_code(f"{name}.load_data failed", private=True):
            try:
                sample = next(samples)
            except StopIteration:
                return
        yield sample


# Such classes have no names of ours: each is named by its module.
CUSTOM: Registry[type[CustomMedicalDataset]] = Registry(
    "dataset", package="medfl.datasets", base="medfl:CustomMedicalDataset", names={}
)


def load_custom(
    word: str, options: Mapping[str, Any] | None = None, where: str = ""
) -> CustomMedicalDataset:
    """Make the class ``my_package.module:MyClass``.

    Args:
        word: the class.
        options: what it is made with.
        where: the description that names it, which lies beside the class or not.

    Raises:
        MedflError: it cannot be loaded or made, or is none.
    """
    here = f"{where}: " if where else ""
    if not re.fullmatch(OWN, word):
        raise MedflError(f"{here}`class: {word}`: write my_package.module:MyClass.")
    with naming(where) if where else nullcontext():
        kind = CUSTOM.load(word, [Path(where).resolve().parent] if where else [])
    name = word.split(":")[1]
    with own_code(f"{here}making `{name}` failed", private=True), drawing(LOAD_SEED):
        made = kind(**(options or {}))
    needed = f"an object of the class `{name}`: its `__new__` must give one"
    check_type(made, CustomMedicalDataset, f"{here}making `{name}`", needed)
    return made
