"""The store: one dataset at one resolution, made once, then memory-mapped by every run.

A store is a folder: ``images.npy`` (uint8 or int16, N×C×H×W or N×C×D×H×W), ``samples.csv`` (a row
an image), ``dataset.yaml`` (what the dataset is) and, of prepared ones, ``prepare.json`` (what was
left out, and how fast it went). It is written by ``writer.py``.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from medfl.errors import MedflError
from medfl.files import read_yaml, sha256_file

IMAGES, SAMPLES, DATASET = "images.npy", "samples.csv", "dataset.yaml"
PREPARATION = "prepare.json"
COLUMNS = ("id", "labels", "group", "site", "modality", "fold")
FOLDS = ("train", "val", "test")
DTYPES = (np.dtype(np.uint8), np.dtype(np.int16))


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
        branches: how many channels each modality of a multi-modal sample has; empty for one.
        spacing: size of a voxel along depth, height and width, mm; empty for images.
        mean: mean of pixel / full range (255, or 32767 for int16) for each channel, measured on the
            training images where the store has official folds, else on all images.
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
    channels: tuple[str, ...] = ()
    branches: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    source_fingerprint: str = ""
    images_sha256: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Sample:
    """One row of ``samples.csv``: ``labels`` are class names; ``group`` is the patient or lesion.

    ``site`` and ``fold`` (the official fold) are empty where the dataset does not state them.
    ``attributes`` are further columns (age, sex, view …), the same in every row of a store.
    """

    id: str
    labels: tuple[str, ...]
    group: str
    site: str = ""
    modality: str = ""
    fold: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


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
        self.labels = encode_labels(columns["id"], columns["labels"], info, str(path / SAMPLES))
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
            columns = _read_columns(path / SAMPLES, again)
        except (UnicodeDecodeError, csv.Error) as error:
            raise MedflError(f"{path / SAMPLES} is not a CSV file: {error}. {again}") from error
        rows = len(columns["id"])
        if rows != len(images):
            raise MedflError(
                f"the store {path} has {len(images)} images but {rows} rows in {SAMPLES}. {again}"
            )
        check_columns(columns, str(path / SAMPLES))
        return cls(path, info, images, columns)

    def verify(self) -> None:
        """Read all pixels and compare with the recorded hash; ``MedflError`` if they differ."""
        if sha256_file(self.path / IMAGES) != self.info.images_sha256:
            raise MedflError(
                f"{self.path / IMAGES} is not what was prepared (its SHA-256 differs from the one "
                f"in {DATASET}). Make it again with `{_command(self.path)} --force`."
            )


def encode_labels(
    ids: Sequence[str], labels: Sequence[str], info: DatasetInfo, where: str
) -> np.ndarray:
    """Class names joined by ``|`` to (N,) int64 indices or (N, K) uint8 indicators."""
    index = {name: k for k, name in enumerate(info.classes)}
    # Each combination of labels is looked up once: large sets have few of them.
    codes: dict[str, int] = {}
    picked = [codes.setdefault(text, len(codes)) for text in labels]
    rows = np.zeros((len(codes), len(index)), dtype=np.uint8)
    for text, code in codes.items():
        names = text.split("|") if text else []
        if info.task == "multiclass" and len(names) != 1:
            raise MedflError(
                f"{where}: sample {ids[picked.index(code)]} has {len(names)} labels; "
                f"{info.name} has exactly one class an image."
            )
        for name in names:
            if name not in index:
                raise MedflError(
                    f"{where}: sample {ids[picked.index(code)]} has the label `{name}`, which is "
                    f"not a class of {info.name} ({', '.join(info.classes)})."
                )
            rows[code, index[name]] = 1
    encoded = rows[np.array(picked, dtype=np.intp)]
    return encoded if info.task == "multilabel" else encoded.argmax(axis=1).astype(np.int64)


def check_columns(columns: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse rows without id or group, ids that stand twice, and unknown folds."""
    ids, groups, folds = columns["id"], columns["group"], columns["fold"]
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MedflError(f"{where}: the sample id {twice} occurs twice.")
    if "" in ids or "" in groups:
        row = next(row for row in range(len(ids)) if not ids[row] or not groups[row])
        raise MedflError(f"{where}: sample `{ids[row]}` lacks an id or a group.")
    if unknown := set(folds) - {"", *FOLDS}:
        fold = min(unknown)
        name = ids[list(folds).index(fold)]
        raise MedflError(f"{where}: sample {name} has the unknown fold `{fold}`.")


def columns_of(samples: Iterable[Sample]) -> dict[str, list[str]]:
    """The columns of ``samples.csv``: those of every store, then the attributes."""
    samples = list(samples)
    columns = {
        "id": [sample.id for sample in samples],
        "labels": ["|".join(sample.labels) for sample in samples],
        "group": [sample.group for sample in samples],
        "site": [sample.site for sample in samples],
        "modality": [sample.modality for sample in samples],
        "fold": [sample.fold for sample in samples],
    }
    for name in samples[0].attributes if samples else ():
        columns[name] = [sample.attributes.get(name, "") for sample in samples]
    return columns


def _command(path: Path) -> str:
    """What makes the store at ``<work root>/prepared/<dataset>``."""
    root = path.parent.parent
    return f"medfl prepare {path.name}" + ("" if root == Path("data") else f" --work-root {root}")


def _read_info(path: Path, again: str) -> DatasetInfo:
    try:
        return TypeAdapter(DatasetInfo).validate_python(read_yaml(path))
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise MedflError(f"{path} does not describe a dataset ({what}). {again}") from error


def _read_columns(path: Path, again: str) -> dict[str, Sequence[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header[: len(COLUMNS)]) != COLUMNS or len(set(header)) < len(header):
            raise MedflError(f"{path} has the columns {header}, not {list(COLUMNS)}. {again}")
        columns: list[list[str]] = [[] for _ in header]
        rows: list[list[str]] = []
        for row in reader:
            if len(row) != len(header):
                raise MedflError(
                    f"{path}, line {reader.line_num}: not {len(header)} cells. {again}"
                )
            rows.append(row)
            # A hundred thousand rows at once would keep the garbage collector busy.
            if len(rows) == 4096:
                _extend(columns, rows)
        _extend(columns, rows)
    return dict(zip(header, columns, strict=True))


def _extend(columns: list[list[str]], rows: list[list[str]]) -> None:
    """Move rows into their columns."""
    for column, cells in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
        column.extend(cells)
    rows.clear()
