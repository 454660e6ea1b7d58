"""MedMNIST v2: all 2-D and 3-D sets, from the official .npz files, checksums verified.

Source: Yang et al., Scientific Data 10:41 (2023), doi:10.1038/s41597-022-01721-8. ``medmnist.json``
is the table ``INFO`` of their package medmnist 3.0.2 (Apache License 2.0), without descriptions.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import urllib.request
import zipfile
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from medfl.datasets.base import Dataset, Places
from medfl.errors import MedflError, failure
from medfl.files import atomic_path, cannot_write, sha256_file
from medfl.files.regular import regular
from medfl.store import FOLDS, Sample
from medfl.store.raw import RawData

SIZES = (28, 64, 128, 224)
_MODALITY = {"chest": "DX", "pneumonia": "DX", "breast": "US", "oct": "OPT", "organ": "CT"}
_MODALITY |= {"path": "SM", "blood": "SM", "tissue": "SM", "derma": "XC", "retina": "OP"}
_MODALITY |= {"nodule": "CT", "adrenal": "CT", "fracture": "CT", "vessel": "MR"}  # MR angiography


@dataclass(frozen=True)
class MedMnist(Dataset):
    """One set: ``<name>.npz`` (28 pixels) or ``<name>_<size>.npz``, with official folds."""

    group: str = "image"  # the sets do not say which images are one patient's
    downloads: tuple[tuple[int, str, str], ...] = ()  # size, URL, MD5
    counts: tuple[tuple[str, int], ...] = ()  # fold, images

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read the file (downloaded if it is nowhere), after its MD5 has been checked."""
        url, md5 = next((url, md5) for known, url, md5 in self.downloads if known == size)
        file = self._file(size)
        path = places.find(f"medmnist/{file}") or places.find(file)
        if path is None:
            path = places.work_root / "raw" / "medmnist" / file
            self._download(url, md5, path, places)
        _check_md5(path, md5, f"Delete it and download {url} again.")
        arrays = self._load(path, size)
        samples, images = [], []
        for fold in FOLDS:
            for row, (image, label) in enumerate(zip(*arrays[fold], strict=True)):
                name = f"{fold}-{row:06d}"
                names = self._names(label, path, name)
                samples.append(Sample(name, names, group=name, modality=self.modality, fold=fold))
                images.append(image[None] if self._grey(image) else image.transpose(2, 0, 1))
        return RawData(samples, range(len(images)), images.__getitem__, sha256_file(path))

    def count(self, places: Places) -> tuple[Path | None, int]:
        """Look for the file of the default size, or of another: each holds all images."""
        for size in (self.default_size, *(self.sizes or ())):
            file = self._file(size)
            path = places.find(f"medmnist/{file}") or places.find(file)
            if path is not None:
                return path, self.source_images or 0
        return None, 0

    @property
    def volumes(self) -> bool:
        """Whether the set is one of the 3-D sets."""
        return self.name.endswith("3d")

    def _file(self, size: int) -> str:
        return self.name + (".npz" if size == 28 else f"_{size}.npz")

    def _grey(self, image: np.ndarray) -> bool:
        return self.volumes or image.ndim == 2

    def _shapes(self, size: int) -> list[tuple[int, ...]]:
        """List the shapes that one image or volume may have."""
        if self.volumes:
            return [(size, size, size)]
        return [(size, size), (size, size, 3)]

    def _names(self, label: np.ndarray, path: Path, sample: str) -> tuple[str, ...]:
        if self.task == "multilabel":
            if label.shape != (len(self.classes),) or not np.isin(label, (0, 1)).all():
                raise MedflError(
                    f"{path}: {sample} has labels {label}, not {len(self.classes)} 0/1."
                )
            return tuple(self.classes[k] for k in np.flatnonzero(label))
        value = int(label.reshape(-1)[0])
        if label.size != 1 or not 0 <= value < len(self.classes):
            raise MedflError(
                f"{path}: {sample} has label {label}; {self.name} has classes 0 to "
                f"{len(self.classes) - 1} ({', '.join(self.classes)})."
            )
        return (self.classes[value],)

    def _load(self, path: Path, size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        arrays = {}
        try:
            with np.load(path, allow_pickle=False) as file:
                for fold, count in self.counts:
                    images, labels = file[f"{fold}_images"], file[f"{fold}_labels"]
                    if len(images) != count or len(labels) != count:
                        raise MedflError(
                            f"{path}: fold {fold} has {len(images)} images and {len(labels)} "
                            f"labels; {self.title} has {count}."
                        )
                    if images.dtype != np.uint8 or images.shape[1:] not in self._shapes(size):
                        raise MedflError(
                            f"{path}: fold {fold} has images of {images.dtype} {images.shape}, not "
                            f"of uint8 {self._shapes(size)[0]} each."
                        )
                    arrays[fold] = (images, labels)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise MedflError(
                f"{path} is not a readable MedMNIST file: {failure(error)}."
            ) from error
        return arrays

    def _download(self, url: str, md5: str, path: Path, places: Places) -> None:
        print(f"downloading {url} to {path}", file=sys.stderr)
        with atomic_path(path) as temporary:
            try:
                request = urllib.request.Request(url, headers={"User-Agent": "medfl"})
                with urllib.request.urlopen(request, timeout=30) as reply:
                    _copy(reply, temporary)
            except (OSError, HTTPException) as error:  # URLError and time-outs are OSErrors too
                if isinstance(error, OSError) and cannot_write(path, error):
                    raise  # a full disk is atomic_path's to explain
                raise self.missing(
                    places, f"is not there, and {url} gave: {error}", f"medmnist/{path.name}"
                ) from error
            _check_md5(temporary, md5, f"The download from {url} was incomplete: try again.")


def _copy(source: Any, target: Path) -> None:
    from tqdm import tqdm

    total = int(source.headers.get("Content-Length") or 0) or None
    bar = tqdm.wrapattr(source, "read", total=total, desc=target.name, file=sys.stderr)
    with bar as stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)


def _check_md5(path: Path, expected: str, remedy: str) -> None:
    with open(path, "rb", opener=regular) as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected:
        raise MedflError(f"{path} is damaged: its MD5 is {found}, officially {expected}. {remedy}")


@cache
def official_info() -> dict[str, dict[str, Any]]:
    """The sets by name: classes, addresses, checksums, images of each fold, licence."""
    table: dict[str, dict[str, Any]] = json.loads(
        Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    )
    return table


@cache
def __getattr__(name: str) -> MedMnist:
    """A catalog entry for every set, as an attribute of this module."""
    if name.startswith("_") or name not in official_info():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _entry(name, official_info()[name])


def _entry(name: str, info: dict[str, Any]) -> MedMnist:
    suffixes = {size: "" if size == 28 else f"_{size}" for size in SIZES}
    return MedMnist(
        name=name,
        title=info["python_class"],
        classes=tuple(info["label"][str(k)] for k in range(len(info["label"]))),
        modality=next((code for key, code in _MODALITY.items() if name.startswith(key)), "OT"),
        citation=(
            "Yang et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical "
            "image classification. Scientific Data 10:41 (2023)."
        ),
        licence=info["license"],
        where=(
            f"the official file {name}.npz, from {info['url']} (28 pixels; other sizes beside it "
            "at https://zenodo.org/records/10519652). `medfl prepare` downloads it where it can."
        ),
        default_size=28,
        task="multilabel" if info["task"].startswith("multi-label") else "multiclass",
        sizes=tuple(size for size, end in suffixes.items() if f"url{end}" in info),
        source_images=sum(info["n_samples"].values()),
        notes="Official folds. MedMNIST publishes no patient ids: every image is its own group.",
        downloads=tuple(
            (size, info[f"url{end}"], info[f"MD5{end}"])
            for size, end in suffixes.items()
            if f"url{end}" in info
        ),
        counts=tuple(info["n_samples"].items()),
    )
