"""The store: one dataset at one resolution, made once, then memory-mapped by every run.

A store is a folder of three files: ``images.npy`` (uint8, N×C×H×W), ``samples.csv`` (a row an
image) and ``dataset.yaml`` (what the dataset is, written last).
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from medfl.errors import MedflError
from medfl.files import atomic_path, read_yaml, sha256_file, write_csv, write_yaml

IMAGES, SAMPLES, DATASET = "images.npy", "samples.csv", "dataset.yaml"
COLUMNS = ("id", "labels", "group", "site", "modality", "fold")
FOLDS = ("train", "val", "test")


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
        mean: mean of pixel/255 for each channel, measured on the training images where the store
            has official folds, else on all images.
        std: standard deviation of the same.
        source_fingerprint: SHA-256 over the source files.
        images_sha256: SHA-256 of ``images.npy``.
        notes: what a user of the data should know.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    task: Literal["multiclass", "multilabel"]
    modality: str
    synthetic: bool
    citation: str
    licence: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    source_fingerprint: str = ""
    images_sha256: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Sample:
    """One row of ``samples.csv``: ``labels`` are class names; ``group`` is the patient or lesion.

    ``site`` and ``fold`` (the official fold) are empty where the dataset does not state them.
    """

    id: str
    labels: tuple[str, ...]
    group: str
    site: str = ""
    modality: str = ""
    fold: str = ""


class Store:
    """A dataset on disk: pixels memory-mapped, labels and groups in memory.

    Attributes:
        path: the folder.
        info: what the dataset is.
        images: (N, C, H, W) uint8, mapped read-only.
        ids: (N,) str, unique.
        labels: (N,) int64 class indices, or (N, K) uint8 indicators for a multi-label set.
        groups: (N,) str, the patient or lesion.
        sites: (N,) str, empty where unknown.
        modalities: (N,) str.
        folds: (N,) str, the official fold ``train``/``val``/``test``, or empty.
    """

    def __init__(
        self, path: Path, info: DatasetInfo, images: np.memmap, samples: Sequence[Sample]
    ) -> None:
        self.path = path
        self.info = info
        self.images = images
        self.ids = np.array([sample.id for sample in samples], dtype=np.str_)
        self.labels = encode_labels(samples, info, str(path / SAMPLES))
        self.groups = np.array([sample.group for sample in samples], dtype=np.str_)
        self.sites = np.array([sample.site for sample in samples], dtype=np.str_)
        self.modalities = np.array([sample.modality for sample in samples], dtype=np.str_)
        self.folds = np.array([sample.fold for sample in samples], dtype=np.str_)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _fingerprint(self) -> str:
        text = sha256_file(self.path / SAMPLES) + self.info.images_sha256
        return hashlib.sha256(text.encode()).hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of ``samples.csv`` and the images' hash: what splits and runs record."""
        return self._fingerprint

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
        info = _read_info(path / DATASET, again)
        try:
            images = np.lib.format.open_memmap(path / IMAGES, mode="r")
        except (ValueError, EOFError, OSError) as error:
            reason = str(error).rstrip(".")
            raise MedflError(f"{path / IMAGES} is damaged: {reason}. {again}") from error
        if images.ndim != 4 or images.dtype != np.uint8:
            raise MedflError(
                f"{path / IMAGES} holds {images.dtype} of shape {images.shape}, not uint8 "
                f"(N, C, H, W). {again}"
            )
        if not len(info.mean) == len(info.std) == images.shape[1]:
            raise MedflError(
                f"{path / DATASET} has {len(info.mean)} means and {len(info.std)} standard "
                f"deviations for {images.shape[1]} channels. {again}"
            )
        try:
            samples = list(_read_samples(path / SAMPLES, again))
        except (UnicodeDecodeError, csv.Error) as error:
            raise MedflError(f"{path / SAMPLES} is not a CSV file: {error}. {again}") from error
        if len(samples) != len(images):
            raise MedflError(
                f"the store {path} has {len(images)} images but {len(samples)} rows in {SAMPLES}. "
                f"{again}"
            )
        _check_rows(samples, str(path / SAMPLES))
        return cls(path, info, images, samples)

    def verify(self) -> None:
        """Read all pixels and compare with the recorded hash; ``MedflError`` if they differ."""
        if sha256_file(self.path / IMAGES) != self.info.images_sha256:
            raise MedflError(
                f"{self.path / IMAGES} is not what was prepared (its SHA-256 differs from the one "
                f"in {DATASET}). Make it again with `{_command(self.path)} --force`."
            )


def write_store(
    path: str | os.PathLike[str],
    info: DatasetInfo,
    samples: Sequence[Sample],
    images: Iterable[np.ndarray],
) -> Store:
    """Write a store, streaming the images; the folder appears complete or not at all.

    Args:
        path: the folder to make; an older store there is replaced.
        info: the dataset; ``mean``, ``std`` and ``images_sha256`` are measured here.
        samples: N rows, ids unique.
        images: N arrays (C, H, W) uint8 of one shape, in the order of ``samples``.
    """
    path = Path(path)
    if not samples:
        raise MedflError(f"{path}: {info.name} has no samples.")
    encode_labels(samples, info, str(path))
    _check_rows(samples, str(path))
    with atomic_path(path) as folder:
        folder.mkdir()
        mean, std = _write_images(folder / IMAGES, samples, iter(images))
        write_csv(
            folder / SAMPLES,
            COLUMNS,
            [{**asdict(sample), "labels": "|".join(sample.labels)} for sample in samples],
        )
        digest = sha256_file(folder / IMAGES)
        info = replace(info, mean=mean, std=std, images_sha256=digest)
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(info).items()}
        write_yaml(folder / DATASET, plain)
    return Store.open(path)


def encode_labels(samples: Sequence[Sample], info: DatasetInfo, where: str) -> np.ndarray:
    """Class names to (N,) int64 indices or (N, K) uint8 indicators."""
    index = {name: k for k, name in enumerate(info.classes)}
    labels = np.zeros((len(samples), len(index)), dtype=np.uint8)
    for row, sample in enumerate(samples):
        if info.task == "multiclass" and len(sample.labels) != 1:
            raise MedflError(
                f"{where}: sample {sample.id} has {len(sample.labels)} labels; "
                f"{info.name} has exactly one class an image."
            )
        for label in sample.labels:
            if label not in index:
                raise MedflError(
                    f"{where}: sample {sample.id} has the label `{label}`, which is not a class of "
                    f"{info.name} ({', '.join(info.classes)})."
                )
            labels[row, index[label]] = 1
    return labels if info.task == "multilabel" else labels.argmax(axis=1).astype(np.int64)


def _command(path: Path) -> str:
    """What makes the store at ``<work root>/prepared/<dataset>``."""
    root = path.parent.parent
    return f"medfl prepare {path.name}" + ("" if root == Path("data") else f" --work-root {root}")


def _check_rows(samples: Sequence[Sample], where: str) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise MedflError(f"{where}: the sample id {sample.id} occurs twice.")
        seen.add(sample.id)
        if not sample.id or not sample.group:
            raise MedflError(f"{where}: sample `{sample.id}` lacks an id or a group.")
        if sample.fold not in ("", *FOLDS):
            raise MedflError(f"{where}: sample {sample.id} has the unknown fold `{sample.fold}`.")


def _write_images(
    path: Path, samples: Sequence[Sample], images: Iterator[np.ndarray]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Stream the images into a .npy file; return mean and standard deviation by channel."""
    first = next(images)
    official = all(sample.fold for sample in samples)
    histograms = np.zeros((len(first), 256), dtype=np.int64)
    count = 0
    # Not through a memory map: a full disk under one kills the process instead of raising.
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(samples), *first.shape)}
        np.lib.format.write_array_header_1_0(file, header)
        for count, image in enumerate(chain([first], images), start=1):
            if image.dtype != np.uint8 or image.shape != first.shape or count > len(samples):
                raise ValueError(f"image {count} is {image.dtype} {image.shape}, not {first.shape}")
            file.write(image.tobytes())
            if not official or samples[count - 1].fold == "train":
                for channel, histogram in zip(image, histograms, strict=True):
                    histogram += np.bincount(channel.ravel(), minlength=256)
        if count != len(samples):
            raise ValueError(f"{count} images for {len(samples)} samples")
    weights = histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)
    levels = np.arange(256) / 255
    mean = weights @ levels
    std = np.sqrt(np.maximum(weights @ levels**2 - mean**2, 0))
    return tuple(map(float, mean)), tuple(map(float, std))


def _read_info(path: Path, again: str) -> DatasetInfo:
    try:
        return TypeAdapter(DatasetInfo).validate_python(read_yaml(path))
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise MedflError(f"{path} does not describe a dataset ({what}). {again}") from error


def _read_samples(path: Path, again: str) -> Iterator[Sample]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise MedflError(
                f"{path} has the columns {reader.fieldnames}, not {list(COLUMNS)}. {again}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise MedflError(
                    f"{path}, line {reader.line_num}: not {len(COLUMNS)} cells. {again}"
                )
            labels = row.pop("labels")
            yield Sample(labels=tuple(labels.split("|")) if labels else (), **row)
