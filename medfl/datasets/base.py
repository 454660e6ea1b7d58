"""What a dataset is to medfl: its facts, and how its files are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from medfl.datasets.raw_folder import RawFolder, look_into, plain
from medfl.errors import MedflError
from medfl.store import DatasetInfo, Store
from medfl.store.info import PATIENT
from medfl.store.raw import RawData


@dataclass(frozen=True)
class Places:
    """Where raw data may lie: the data root, perhaps read-only, and the folder we may write to."""

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
        """Find what lies at a candidate of the first name that is there, in that order.

        Where none is, a folder with the same letters is taken: ``brain-tumor-mri`` also finds
        ``Brain_Tumor_MRI``.
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
    """A dataset that can be prepared: one entry of the catalog, or a described one.

    Attributes:
        name: the word that a person types.
        classes: class names in the order of their indices.
        where: where to get it, and what the folder must hold.
        default_size: pixels of a square image when the word names no size.
        sizes: the only sizes there are; None where any is possible.
        source_images: how many images the publisher ships.
        complete: true for a published set, whose images must all be there and be sound; false for
            a person's own files, of which those that cannot be read are left out and listed.
        folders: names under which its raw folder is looked for; where empty, ``name`` is.
        aliases: what people type instead of ``name``; an error then says the right one.
        sites: the natural clients of partition ``site``, where it has any.
        disk: space that the published files take when they are unpacked.
        group: what a group of images is, in one word: a patient, a lesion, or a single image.
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
    group: str = PATIENT
    notes: str = field(default="", repr=False)

    @abstractmethod
    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Find the published files and say how they are read.

        They must all be there (``MedflError``), unless ``allow_partial``: then what is missing is
        counted in the result.
        """

    def readers(self) -> tuple[type, ...]:
        """The classes that read it; where their files are edited, its store is made again."""
        return (type(self),)

    def known_sites(self, places: Places) -> Sequence[str] | None:
        """The sites, as far as they are known before it is prepared; None where nobody can tell."""
        return self.sites if self.complete else None

    def description_sha(self, places: Places) -> str:
        """Hash a person's own description of the dataset; the catalog's have none, so it is empty.

        Where the description's table is not here now, as on another machine, the hash is only the
        beginning of the whole one.
        """
        return ""

    def create_federated_splits(
        self, store: Store, num_clients: int | None, partition: str, seed: int
    ) -> tuple[Sequence[int], Sequence[str]] | None:
        """Give each sample's client and fold, if a person's own class decides them; else None."""
        return None

    def info(self, raw: RawData) -> DatasetInfo:
        """Make the description that goes into the store."""
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
            group=self.group,
            notes=" ".join(filter(None, (self.notes, raw.notes))),
        )
        return replace(info, **raw.info)

    def find_root(self, places: Places) -> Path | None:
        """Find the raw folder; None where there is none."""
        return places.find(*(self.folders or (self.name,)))

    def root(self, places: Places) -> Path:
        """Find the raw folder; it is a ``MedflError`` where there is none."""
        root = self.find_root(places)
        if root is None:
            raise self.missing(places)
        return root

    def count(self, places: Places) -> tuple[Path | None, int]:
        """Say where the raw data lie, and count the images there without reading them."""
        root = self.find_root(places)
        return root, len(self.images_in(look_into(root))) if root else 0

    def images_in(self, tree: RawFolder) -> list[Path]:
        """The image files of the dataset in its raw folder."""
        return tree.images()

    def missing(
        self, places: Places, problem: str = "is not there", name: str = "", partial: bool = False
    ) -> MedflError:
        """Make the error for data that are absent or incomplete: what, where, and how to get it.

        Args:
            places: where it was looked for.
            problem: what is wrong.
            name: the file or folder to put there; where empty, the first of ``folders``.
            partial: whether what is there could be taken by itself.
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
