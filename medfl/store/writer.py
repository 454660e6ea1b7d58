"""Write a store: stream its images to the disk, measure their statistics, describe the rest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medfl.errors import MedflError
from medfl.files import OWN_HASH, atomic_path, own_hash, sha256_file, write_csv, write_yaml
from medfl.store.array_file import ArrayFile
from medfl.store.info import DatasetInfo, from_plain, to_plain
from medfl.store.statistics import pixel_statistics
from medfl.store.store import DATASET, IMAGES, SAMPLES, Store, fingerprint_of
from medfl.store.table import Sample, check_columns, columns_of, encode_labels


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
        images: N arrays (C, H, W) or (C, D, H, W), uint8 or int16, of one shape, in the order of
            ``samples``.
    """
    path = Path(path)
    check(info, samples, str(path))
    with atomic_path(path) as folder:
        folder.mkdir()
        with (folder / IMAGES).open("wb") as file:
            array = ArrayFile(file)
            for image in images:
                if array.count == len(samples):
                    raise ValueError(f"more images than the {len(samples)} samples")
                try:
                    array.append(image)
                except ValueError as odd:
                    raise ValueError(f"image {array.count + 1} {odd}") from odd
            array.finish()
        if array.count != len(samples):
            raise ValueError(f"{array.count} images for {len(samples)} samples")
        describe_store(folder, folder / IMAGES, info, samples)
    return Store.open(path)


def check(info: DatasetInfo, samples: Sequence[Sample], where: str) -> None:
    """Refuse rows and classes that make no store (``MedflError`` naming ``where``)."""
    if not samples:
        raise MedflError(f"{where}: {info.name} has no samples.")
    odd = next((name for name in info.classes if "|" in name or not name), None)
    if odd is not None:
        raise MedflError(
            f"{where}: a class cannot be called so: it has no name, or one with a `|`."
        )
    columns = columns_of(samples)
    check_columns(columns, where)
    encode_labels(columns["labels"], info, where)
    try:  # before hours of work, and not when the store is opened
        from_plain(to_plain(info))
    except ValueError as error:
        raise MedflError(f"{where}: {info.name} cannot be described ({error}).") from error


def describe_store(
    folder: Path, images: Path, info: DatasetInfo, samples: Sequence[Sample]
) -> None:
    """Write ``samples.csv`` and, last, ``dataset.yaml`` with what is measured on the pixels."""
    columns = columns_of(samples)
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    write_csv(folder / SAMPLES, tuple(columns), rows)
    mean, std = _statistics(images, np.array(columns["fold"]))
    info = replace(info, mean=mean, std=std, images_sha256=sha256_file(images))
    info = replace(info, store_sha256=fingerprint_of(folder / SAMPLES, info))
    plain = to_plain(info)
    write_yaml(folder / DATASET, plain | {OWN_HASH: own_hash(plain)})


def _statistics(path: Path, folds: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel: of training images where there are official folds."""
    chosen = folds == "train" if (folds != "").all() else np.ones(len(folds), bool)
    images = np.lib.format.open_memmap(path, mode="r")
    return pixel_statistics(images, np.flatnonzero(chosen))
