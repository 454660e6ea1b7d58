"""The store: one dataset at one resolution, made once, then memory-mapped by every run.

A store is a folder with ``images.npy`` (uint8 or int16, N×C×H×W or N×C×D×H×W), ``samples.csv`` (a
row for each image) and ``dataset.yaml`` (what the dataset is). If ``medfl prepare`` made it, there
is ``prepare.json`` too (what was left out, and how fast it went). ``writer.py`` writes it.
"""

from __future__ import annotations

import copy
import csv
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from medfl.config import WORK_ROOT
from medfl.errors import MedflError, failure
from medfl.files import is_whole, read_yaml, sha256_file
from medfl.store.info import DatasetInfo, from_plain
from medfl.store.intact_images import check_images
from medfl.store.table import check_columns, encode_labels, read_columns

log = logging.getLogger(__name__)
IMAGES, SAMPLES, DATASET = "images.npy", "samples.csv", "dataset.yaml"
PREPARATION = "prepare.json"
DTYPES = (np.dtype(np.uint8), np.dtype(np.int16))


class Store:
    """A dataset on disk: pixels memory-mapped, labels and groups in memory.

    Attributes:
        path: the folder.
        info: what the dataset is.
        images: (N, C, H, W) or (N, C, D, H, W), uint8 or int16, mapped read-only.
        ids: (N,) str, unique.
        labels: (N,) int64 class indices, or (N, K) uint8 indicators for a multi-label set.
        groups: (N,) str, the patient or lesion.
        sites: (N,) str, empty where unknown.
        modalities: (N,) str.
        folds: (N,) str, the official fold ``train``/``val``/``test``, or empty.
        attributes: further columns by name, (N,) str each.
    """

    def __init__(
        self, path: Path, info: DatasetInfo, images: np.memmap, columns: Mapping[str, Sequence[str]]
    ) -> None:
        self.path = path
        self.info = info
        self.images = images
        self.labels = encode_labels(columns["labels"], info, str(path / SAMPLES))
        arrays = {
            name: np.array(cells, np.str_) for name, cells in columns.items() if name != "labels"
        }
        self.ids = arrays.pop("id")
        self.groups, self.sites = arrays.pop("group"), arrays.pop("site")
        self.modalities, self.folds = arrays.pop("modality"), arrays.pop("fold")
        self.attributes = arrays

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(self.path / SAMPLES, self.info)

    def fingerprint(self) -> str:
        """SHA-256 of all that decides results: what splits and runs record."""
        return self._fingerprint

    def read_only(self) -> Store:
        """The same store for a person's own code, which can change nothing of this one."""
        other = copy.copy(self)
        other.info = replace(self.info)
        for name, values in vars(self).items():
            if isinstance(values, np.ndarray):
                setattr(other, name, _unchangeable(values))
        other.attributes = {name: _unchangeable(one) for name, one in self.attributes.items()}
        return other

    @property
    def has_official_folds(self) -> bool:
        """True where every sample states its fold."""
        return len(self) > 0 and bool((self.folds != "").all())

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Store:
        """Map a store. A missing, half-written or inconsistent one is a ``MedflError``."""
        path = Path(path)
        again = f"Make it again with `{_command(path)} --force`."
        missing = [name for name in (IMAGES, SAMPLES, DATASET) if not (path / name).is_file()]
        if not path.exists():
            raise MedflError(
                f"there is no prepared dataset at {path}. Make it with `{_command(path)}`."
            )
        if missing:
            raise MedflError(f"the store {path} lacks {' and '.join(missing)}. {again}")
        info, whole = _read_info(path / DATASET, again)
        try:
            images = np.lib.format.open_memmap(path / IMAGES, mode="r")
        except Exception as error:  # a damaged header fails in its tokens, its syntax or its size
            raise MedflError(f"{path / IMAGES} is damaged: {failure(error)}. {again}") from error
        if images.ndim not in (4, 5) or images.dtype not in DTYPES:
            raise MedflError(
                f"{path / IMAGES} holds {images.dtype} of shape {images.shape}, not uint8 or int16 "
                f"of (N, C, H, W) or (N, C, D, H, W). {again}"
            )
        if not len(info.mean) == len(info.std) == images.shape[1]:
            raise MedflError(
                f"{path / DATASET} has {len(info.mean)} means and {len(info.std)} standard "
                f"deviations for {images.shape[1]} channels. {again}"
            )
        try:
            columns = read_columns(path / SAMPLES, again)
        except (UnicodeDecodeError, csv.Error) as error:
            raise MedflError(
                f"{path / SAMPLES} is not a CSV file: {failure(error)}. {again}"
            ) from error
        rows = len(columns["id"])
        if rows != len(images):
            raise MedflError(
                f"the store {path} has {len(images)} images but {rows} rows in {SAMPLES}. {again}"
            )
        try:
            check_columns(columns, str(path / SAMPLES))
            store = cls(path, info, images, columns)
        except MedflError as error:
            raise MedflError(f"{error} {again}") from error
        if info.images_sha256:
            check_images(path / IMAGES, info.images_sha256, again)
        if info.store_sha256 and store.fingerprint() != info.store_sha256:
            raise MedflError(
                f"{path / SAMPLES} or {path / DATASET} is not what was prepared: it is damaged or "
                f"was edited, in samples, classes, mean or deviation. {again}"
            )
        if not whole:
            log.warning(
                "%s was edited since it was prepared, in what it tells of the data (title, notes, "
                "whether they are synthetic or have undecided patients).",
                path / DATASET,
            )
        return store

    def verify(self) -> None:
        """Read all pixels and compare with the recorded hash; ``MedflError`` if they differ."""
        again = f"Make it again with `{_command(self.path)} --force`."
        check_images(self.path / IMAGES, self.info.images_sha256, again, wholly=True)


def _unchangeable(values: np.ndarray) -> np.ndarray:
    seen = values.view()
    seen.flags.writeable = False
    return seen


def fingerprint_of(samples: Path, info: DatasetInfo) -> str:
    """SHA-256 of a store, by its table, the hash of its images and what else decides results."""
    text = sha256_file(samples) + info.images_sha256 + info.deciding()
    return hashlib.sha256(text.encode()).hexdigest()


def noted_fingerprint(path: Path) -> str | None:
    """The fingerprint that a store says of itself, unchecked; None where it says none.

    Planning a grid asks for it, where opening every store would take too long.
    """
    try:
        content = read_yaml(path / DATASET)
    except MedflError:
        return None
    noted = content.get("store_sha256") if isinstance(content, dict) else None
    return str(noted) if noted else None


def _command(path: Path) -> str:
    """What makes the store at ``<work root>/prepared/<dataset>``."""
    root = path.parent.parent
    return f"medfl prepare {path.name}" + (
        "" if root == Path(WORK_ROOT) else f" --work-root {root}"
    )


def _read_info(path: Path, again: str) -> tuple[DatasetInfo, bool]:
    """What a store says of its dataset, and whether nobody has edited it."""
    try:
        content = read_yaml(path)
    except MedflError as error:
        raise MedflError(f"{error} {again}") from error
    try:
        return from_plain(content), is_whole(content)
    except ValueError as error:
        raise MedflError(f"{path} does not describe a dataset ({error}). {again}") from error
