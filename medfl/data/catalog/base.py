"""What a catalog entry is: a dataset's description, and how its published files are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medfl.data.exclusions import Exclusion
from medfl.data.store import DatasetInfo, Sample, Store
from medfl.data.tree import Tree, plain, scan
from medfl.errors import MedflError


@dataclass(frozen=True)
class RawData:
    """A dataset found on disk, and how its pixels are read.

    Attributes:
        samples: a row an image.
        sources: what ``decode`` takes for each sample: a file's ``Path``, a tuple of them (the
            slices of a volume), or anything else whose ``repr`` says what it is (a row number).
        decode: from a source to (C, size, size) or (C, size, size, size), uint8 or int16, all of
            one shape; ``MedflError`` where that cannot be done.
        fingerprint: SHA-256 over what is read beside the sources (tables, settings). The files of
            the sources are hashed when they are decoded.
        notes: what was found that a user should know.
        names: what the sources are called in outputs, without identifiers of people; the ids of
            the samples where empty.
        missing: samples that the dataset's tables list and the disk lacks.
        excluded: files and samples left out before any was decoded.
        warnings: for ``prepare.json`` and the screen.
        settings: how pixels are made, for ``prepare.json``.
        info: fields of ``DatasetInfo`` that only the data could tell (classes, channels, …).
        sizes: of sources whose headers were read, by row, as ``source_size`` would say it.
        scan: what looking through the files took, for ``prepare.json``.
    """

    samples: Sequence[Sample]
    sources: Sequence[Any]
    decode: Callable[[Any], np.ndarray]
    fingerprint: str
    notes: str = ""
    names: Sequence[str] = ()
    missing: int = 0
    excluded: Sequence[Exclusion] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[int, str] = field(default_factory=dict)
    scan: Mapping[str, Any] = field(default_factory=dict)

    def name(self, row: int) -> str:
        """What a source is called in outputs."""
        return self.names[row] if self.names else self.samples[row].id

    @property
    def images(self) -> Iterator[np.ndarray]:
        """All images in order, decoded one after another."""
        return map(self.decode, self.sources)


@dataclass(frozen=True)
class Places:
    """Where raw data may lie: the data root (perhaps read-only) and the folder we may write to."""

    data_root: Path
    work_root: Path

    def roots(self) -> list[Path]:
        """Folders that hold a folder for each dataset, the preferred one first, each once."""
        roots = [self.data_root / "raw", self.data_root, self.work_root / "raw"]
        return list(dict.fromkeys(roots))

    def candidates(self, name: str) -> list[Path]:
        """Paths at which ``name`` may lie, the preferred one first."""
        return [root / name for root in self.roots()]

    def find(self, *names: str) -> Path | None:
        """What lies at the first candidate of the first name; then, folders alike in letters.

        ``brain-tumor-mri`` also finds the folder ``Brain_Tumor_MRI``.
        """
        for name in names:
            for path in self.candidates(name):
                if path.exists():
                    return path
        wanted = {plain(name) for name in names}
        for root in self.roots():
            for path in sorted(root.iterdir()) if root.is_dir() else ():
                if path.is_dir() and plain(path.name) in wanted:
                    return path
        return None


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
        complete: a published set, whose images must all be there and be sound; false for a
            person's own files, of which those that cannot be read are left out and listed.
        folders: names under which its raw folder is looked for; ``name`` where empty.
        aliases: what people type instead of ``name``; an error then says the right one.
        sites: the natural clients of partition ``site``, where it has any.
        disk: space that the published files take, unpacked.
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
    complete: bool = True
    folders: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    disk: str = ""
    notes: str = field(default="", repr=False)

    @abstractmethod
    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Find the published files and say how they are read.

        They must all be there (``MedflError``), unless ``allow_partial``: then what is missing is
        counted in the result.
        """

    def description_sha(self, places: Places) -> str:
        """Hash of a person's own description of the dataset; empty for the catalog's.

        Where its table is not here now, as on another machine, only the beginning of the whole.
        """
        return ""

    def create_federated_splits(
        self, store: Store, num_clients: int | None, partition: str, seed: int
    ) -> tuple[Sequence[int], Sequence[str]] | None:
        """Client and fold of each sample, where a person's own class decides them; else None."""
        return None

    def info(self, raw: RawData) -> DatasetInfo:
        """The description that goes into the store."""
        info = DatasetInfo(
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
        return replace(info, **raw.info)

    def find_root(self, places: Places) -> Path | None:
        """The raw folder."""
        return places.find(*(self.folders or (self.name,)))

    def root(self, places: Places) -> Path:
        """The raw folder; ``MedflError`` where there is none."""
        root = self.find_root(places)
        if root is None:
            raise self.missing(places)
        return root

    def count(self, places: Places) -> tuple[Path | None, int]:
        """Where the raw data lie, and how many images are there: counted, not read."""
        root = self.find_root(places)
        return root, len(self.images_in(scan(root))) if root else 0

    def images_in(self, tree: Tree) -> list[Path]:
        """The image files of the dataset in its raw folder."""
        return tree.images()

    def missing(
        self, places: Places, problem: str = "is not there", name: str = "", partial: bool = False
    ) -> MedflError:
        """The error for data that are absent or incomplete: what, where, and how to get it.

        Args:
            places: where it was looked for.
            problem: what is wrong.
            name: the file or folder to put there; the first of ``folders`` where empty.
            partial: what is there could be taken by itself.
        """
        name = name or (self.folders or (self.name,))[0]
        looked = " or ".join(str(path) for path in places.candidates(name))
        facts = [f"{self.source_images:,} images"] if self.source_images else []
        facts += [self.disk] if self.disk else []
        what = f"{self.title} ({', '.join(facts)})" if facts else self.title
        take = " To take what is there, add --allow-partial." if partial else ""
        return MedflError(
            f"{what} {problem}. Expected at {looked}: {self.where} "
            f"Another place is named by --data-root or MEDFL_DATA.{take}"
        )
