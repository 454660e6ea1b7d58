"""What a catalog entry is: a dataset's description, and how its published files are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from medfl.data.store import DatasetInfo, Sample
from medfl.errors import MedflError


@dataclass(frozen=True)
class RawData:
    """A dataset found on disk and read up to its pixels.

    Attributes:
        samples: a row an image.
        images: (C, size, size) uint8 arrays in the order of ``samples``, decoded as they are drawn.
        fingerprint: SHA-256 over the source files.
        notes: what was found that a user should know.
    """

    samples: list[Sample]
    images: Iterable[np.ndarray]
    fingerprint: str
    notes: str = ""


@dataclass(frozen=True)
class Places:
    """Where raw data may lie: the data root (perhaps read-only) and the folder we may write to."""

    data_root: Path
    work_root: Path

    def candidates(self, name: str) -> list[Path]:
        """Paths at which ``name`` may lie, the preferred one first, each once."""
        roots = [self.data_root / "raw", self.data_root, self.work_root / "raw"]
        return list(dict.fromkeys(root / name for root in roots))

    def find(self, name: str) -> Path | None:
        """The first candidate that exists."""
        return next((path for path in self.candidates(name) if path.exists()), None)


@dataclass(frozen=True)
class Dataset(ABC):
    """One entry of the catalog.

    Attributes:
        name: the word that a person types.
        classes: class names in the order of their indices.
        where: where to get it, and what the folder must hold.
        default_size: pixels of a square image when the word names no size.
        sizes: the only sizes there are; None where any is possible.
        source_images: how many images the publisher ships.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    modality: str
    citation: str
    licence: str
    where: str
    default_size: int
    task: Literal["multiclass", "multilabel"] = "multiclass"
    synthetic: bool = False
    sizes: tuple[int, ...] | None = None
    source_images: int | None = None
    notes: str = field(default="", repr=False)

    @abstractmethod
    def read(self, places: Places, size: int) -> RawData:
        """Find the published files and read them; ``MedflError`` if they are not all there."""

    def info(self, raw: RawData) -> DatasetInfo:
        """The description that goes into the store."""
        return DatasetInfo(
            name=self.name,
            title=self.title,
            classes=self.classes,
            task=self.task,
            modality=self.modality,
            synthetic=self.synthetic,
            citation=self.citation,
            licence=self.licence,
            source_fingerprint=raw.fingerprint,
            notes=" ".join(filter(None, (self.notes, raw.notes))),
        )

    def missing(self, places: Places, name: str, problem: str = "is not there") -> MedflError:
        """The error for data that are absent or incomplete: what, where, and how to get it."""
        looked = " or ".join(str(path) for path in places.candidates(name))
        count = f" ({self.source_images:,} images)" if self.source_images else ""
        return MedflError(
            f"{self.title}{count} {problem}. Expected at {looked}: {self.where} "
            "Another place is named by --data-root or MEDFL_DATA."
        )
