"""Lead from a dataset's word to the place of its store."""

from __future__ import annotations

import os
from pathlib import Path

from medfl.config import WORK_ROOT, prepared_dir
from medfl.datasets.base import Dataset
from medfl.datasets.registry import DatasetSpec, parse_dataset
from medfl.store import DATASET

PathLike = str | os.PathLike[str]


def store_path(dataset: str, work_root: PathLike = WORK_ROOT) -> Path:
    """Say where the store of a dataset word lies: ``<work_root>/prepared/<word>``.

    The path of a store's folder, which ``prepare`` made with ``output_dir``, is itself the place.
    """
    if _is_store_folder(dataset):
        return Path(dataset)
    return place_of(parse_dataset(dataset), work_root)


def entry_of(dataset: str) -> Dataset | None:
    """The entry of a dataset word; None for a store's folder, whose dataset may be forgotten."""
    return None if _is_store_folder(dataset) else parse_dataset(dataset).dataset


def _is_store_folder(word: str) -> bool:
    return os.sep in word and Path(word, DATASET).is_file()


def place_of(spec: DatasetSpec, work_root: PathLike) -> Path:
    """Where the store of a dataset lies under ``work_root``."""
    return prepared_dir(work_root) / spec.word
