"""A store's ``samples.csv``: a row for each image."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medfl.errors import MedflError
from medfl.files.regular import regular
from medfl.identity import quoted
from medfl.store.info import DatasetInfo

COLUMNS = ("id", "labels", "group", "site", "modality", "fold")
FOLDS = ("train", "val", "test")


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


def encode_labels(labels: Sequence[str], info: DatasetInfo, where: str) -> np.ndarray:
    """Turn class names joined by ``|`` into (N,) int64 indices or (N, K) uint8 indicators."""
    index = {name: k for k, name in enumerate(info.classes)}
    # Each combination of labels is looked up once: large sets have few of them.
    codes: dict[str, int] = {}
    picked = [codes.setdefault(text, len(codes)) for text in labels]
    rows = np.zeros((len(codes), len(index)), dtype=np.uint8)
    for text, code in codes.items():
        names = text.split("|") if text else []
        if info.task == "multiclass" and len(names) != 1:
            raise MedflError(
                f"{where}: sample {picked.index(code) + 1} has {len(names)} labels, where each "
                "image has exactly one class."
            )
        for name in names:
            if name not in index:
                raise MedflError(
                    f"{where}: sample {picked.index(code) + 1} has the label {quoted(name)}, which "
                    "is not a class of the dataset."
                )
            rows[code, index[name]] = 1
    encoded = rows[np.array(picked, dtype=np.intp)]
    return encoded if info.task == "multilabel" else encoded.argmax(axis=1).astype(np.int64)


def check_columns(columns: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse rows without id or group, ids that stand twice, and unknown folds."""
    ids, groups, folds = columns["id"], columns["group"], columns["fold"]
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(row for row, name in enumerate(ids) if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MedflError(f"{where}: the id of sample {twice + 1} occurs twice.")
    if "" in ids or "" in groups:
        row = next(row for row in range(len(ids)) if not ids[row] or not groups[row])
        raise MedflError(f"{where}: sample {row + 1} lacks an id or a group.")
    if unknown := set(folds) - {"", *FOLDS}:
        row = next(row for row, fold in enumerate(folds) if fold in unknown)
        raise MedflError(
            f"{where}: sample {row + 1} has an unknown fold: it can be {', '.join(FOLDS)}, or none."
        )


def columns_of(samples: Iterable[Sample]) -> dict[str, list[str]]:
    """Make the columns of ``samples.csv``: those of every store, then the attributes."""
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


def read_columns(path: Path, again: str) -> dict[str, Sequence[str]]:
    """The columns of the file by name; ``again`` ends errors: how to make the store anew."""
    with open(path, newline="", encoding="utf-8-sig", opener=regular) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header[: len(COLUMNS)]) != COLUMNS or len(set(header)) < len(header):
            raise MedflError(f"{path} has other columns than {', '.join(COLUMNS)}. {again}")
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
