"""COVID-CT: 746 CT slices cut from papers, 349 with COVID-19 (216 patients) and 397 without.

Source: Yang, He, Zhao, Zhang, Zhang, Xie, arXiv:2003.13865 (2020).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.official import settle_folds
from medfl.datasets.published import copies_note, match
from medfl.datasets.raw_folder import RawFolder, look_into, one_each
from medfl.datasets.tables import Row, read_table
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.files.archives import check_members, unpack
from medfl.files.exclusions import Exclusion
from medfl.files.regular import read_text
from medfl.imaging.images import read_image
from medfl.imaging.kinds import kind_by_ending
from medfl.store import Sample
from medfl.store.raw import RawData

MAX_UNPACKED = 4 << 30  # the published archives hold about 0.1 GB


@dataclass(frozen=True)
class _Part:
    """How one class is laid out."""

    label: str
    folder: str
    table: str
    file: str
    patient: str
    attributes: Mapping[str, str]


PARTS = (
    _Part(
        "COVID",
        "CT_COVID",
        "COVID-CT-MetaInfo",
        "File name",
        "Patient ID",
        {"age": "Age", "sex": "Gender", "location": "Location"},
    ),
    _Part("NonCOVID", "CT_NonCOVID", "NonCOVID-CT-MetaInfo", "image name", "patient id", {}),
)
ATTRIBUTES = ("age", "sex", "location")


class CovidCt(Dataset):
    """A folder (or zip file) and a table for each class, lists of the published folds."""

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read tables and lists, match them with the images, decode to (1, size, size).

        Slices have many shapes: the whole is kept, with margins.
        """
        tree = look_into(self.root(places))
        samples: list[Sample] = []
        sources: list[Path] = []
        excluded: list[Exclusion] = []
        warnings: list[str] = []
        taken: list[Path] = []
        missing, digest = 0, ""
        for part in PARTS:
            files, copies = one_each(
                (_key(file.name), file) for file in self._files(part, places, tree)
            )
            warnings += copies_note(copies)
            path = tree.find(f"{part.table}.csv", f"{part.table}.xlsx")
            if path is None:
                if not (allow_partial and files):
                    raise self.missing(
                        places, f"is incomplete in {tree.root}: no {part.table}.csv", partial=True
                    )
                rows: dict[str, Row] = {}
                ids = sorted(files)
                warnings.append(
                    f"no {part.table}.csv: patients of {part.label} are guessed, all images of a "
                    "paper or figure being one group"
                )
            else:
                columns = (part.file, part.patient)
                table = read_table(path, columns, tuple(part.attributes.values()))
                rows = {_key(name): row for name, row in table.by_id(part.file).items()}
                digest += sha256_file(path)
                ids = sorted(rows)
                files = _as_listed(files, ids)
            folds, listed = _folds(tree, part)
            digest += listed
            table_path = path or tree.root
            found = match(self, places, table_path, ids, files, tree, allow_partial)
            missing += found.missing
            excluded += found.excluded
            taken += files.values()
            for name in found.ids:
                samples.append(self._sample(part, name, rows.get(name), folds.get(name, "")))
                sources.append(files[name])
        samples, more = settle_folds(samples, "the published lists of COVID-CT")
        return RawData(
            samples=samples,
            sources=sources,
            decode=partial(read_image, size=size, channels=1, fit="pad"),
            fingerprint=hashlib.sha256(digest.encode()).hexdigest(),
            missing=missing,
            excluded=[*excluded, *tree.left_out(taken, self.images_in(tree))],
            warnings=[*warnings, *more],
        )

    def images_in(self, tree: RawFolder) -> list[Path]:
        """List the images below the two classes' folders."""
        return tree.images(*(part.folder for part in PARTS))

    def count(self, places: Places) -> tuple[Path | None, int]:
        """Count the images in folders, or in the zip files instead."""
        root = self.find_root(places)
        if root is None:
            return None, 0
        tree = look_into(root)
        number = 0
        for part in PARTS:
            number += len(tree.images(part.folder)) or len(_zipped(tree, part))
        return root, number

    def _files(self, part: _Part, places: Places, tree: RawFolder) -> list[Path]:
        """List a class's images; a zip file without a folder is unpacked below the work root."""
        files = tree.images(part.folder)
        archive = tree.find(f"{part.folder}.zip")
        if files or archive is None:
            return files
        target = places.work_root / "raw" / f".{self.name}-unpacked" / part.folder
        return look_into(unpack(archive, target, MAX_UNPACKED)).images()

    def _sample(self, part: _Part, name: str, row: Row | None, fold: str) -> Sample:
        if row is None:
            patient = _figure(name)
        elif not row[part.patient]:
            raise MedflError(f"{part.table}, line {row.line}: `{part.patient}` is empty.")
        else:
            patient = row[part.patient]
        attributes = dict.fromkeys(ATTRIBUTES, "")
        if row is not None:
            attributes |= {key: row.get(column) for key, column in part.attributes.items()}
        return Sample(
            id=f"{part.label}/{name}",
            labels=(part.label,),
            group=f"{part.label}/{patient}",
            modality=self.modality,
            fold=fold,
            attributes=attributes,
        )


def _key(name: str) -> str:
    """Spell a file's name in one way; tables, lists and folders write ``%`` or ``_`` in it."""
    return name.strip().replace("%", "_")


def _as_listed(files: Mapping[str, Path], ids: list[str]) -> dict[str, Path]:
    """Call files as the table does, where case or suffix differ (a copy converted to PNG)."""
    stems: dict[str, list[str]] = {}
    for name in ids:
        stems.setdefault(Path(name).stem.casefold(), []).append(name)
    known = set(ids)
    listed = {}
    for name, file in files.items():
        options = stems.get(Path(name).stem.casefold(), [])
        listed[name if name in known or len(options) != 1 else options[0]] = file
    return listed


def _folds(tree: RawFolder, part: _Part) -> tuple[dict[str, str], str]:
    """Read the published fold of each listed image; also gives a hash over the lists."""
    folds: dict[str, str] = {}
    digest = ""
    for fold in ("train", "val", "test"):
        path = tree.find(f"{fold}{part.folder}.txt")
        if path is None:
            continue
        digest += sha256_file(path)
        for line in read_text(path, "utf-8-sig", "replace").splitlines():
            name = _key(line)
            if name and folds.setdefault(name, fold) != fold:
                raise MedflError(f"{path}: {line} is in the list of {folds[name]} too.")
    return folds, digest


def _figure(name: str) -> str:
    """Name the paper (``…-p<page>-<figure>``) or series (``12_0``) that an image is cut from."""
    stem = Path(name).stem
    paper = re.match(r"(.+)-p\d+-", stem)
    return paper[1] if paper else re.sub(r"_\d+$", "", stem)


def _zipped(tree: RawFolder, part: _Part) -> list[str]:
    archive = tree.find(f"{part.folder}.zip")
    if archive is None:
        return []
    names = [Path(member.filename).name for member in check_members(archive, MAX_UNPACKED)]
    return [name for name in names if kind_by_ending(name) == "image"]


COVIDCT = CovidCt(
    name="covidct",
    title="COVID-CT",
    classes=("NonCOVID", "COVID"),
    modality="CT",
    citation=(
        "Yang, He, Zhao, Zhang, Zhang, Xie. COVID-CT-Dataset: a CT scan dataset about COVID-19. "
        "arXiv:2003.13865 (2020)."
    ),
    licence="none stated; the images belong to the authors and publishers of the papers",
    where=(
        "Images-processed/CT_COVID and CT_NonCOVID (folders, or the zip files as they are), "
        "COVID-CT-MetaInfo.csv, NonCOVID-CT-MetaInfo.csv and Data-split, from "
        "https://github.com/UCSD-AI4H/COVID-CT."
    ),
    default_size=64,
    source_images=746,
    folders=("covid-ct", "covidct", "COVID-CT-master", "COVID-CT-Dataset"),
    aliases=("covid-ct", "covid", "covid_ct", "ucsd-covid-ct"),
    disk="about 0.1 GB",
    notes=(
        "Slices cut from figures of papers: 8 bits, no Hounsfield units, some with marks. The "
        "patient is the group. There are no natural sites."
    ),
)
