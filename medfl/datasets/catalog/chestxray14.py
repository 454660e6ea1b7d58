"""NIH ChestX-ray14: 112,120 chest radiographs of 30,805 patients, 14 findings mined from reports.

Source: Wang et al., ChestX-ray8, CVPR 2017, doi:10.1109/CVPR.2017.369 (extended to 14 findings).
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.official import settle_folds
from medfl.datasets.published import copies_note, find_table, match
from medfl.datasets.raw_folder import RawFolder, look_into, one_each, plain
from medfl.datasets.tables import Row, Table, read_table
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.files.regular import read_text
from medfl.imaging.images import read_image
from medfl.store import Sample
from medfl.store.raw import RawData

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
SAMPLE_TABLE = "sample_labels.csv"  # the table of a random part that NIH also gave out
LISTS = {
    "train": ("train_val_list.txt", "train_val_list_NIH.txt"),
    "test": ("test_list.txt", "test_list_NIH.txt"),
}
COLUMNS = ("Image Index", "Finding Labels", "Patient ID")
ATTRIBUTES = {
    "view": "View Position",
    "age": "Patient Age",
    "sex": "Patient Gender",
    "follow_up": "Follow-up #",
}
NO_FINDING = "No Finding"


class ChestXray14(Dataset):
    """One table, and PNG files in ``images_001/images`` … or in one folder."""

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read the table and the official lists, decode to (1, size, size)."""
        tree = look_into(self.root(places))
        path = find_table(self, places, tree, *TABLES, SAMPLE_TABLE)
        files, copies = one_each((file.stem, file) for file in self.images_in(tree))
        table = read_table(path, COLUMNS, tuple(ATTRIBUTES.values()))
        classes = {plain(name): name for name in self.classes}
        folds, digest = _folds(tree)
        samples = {}
        for name, row in sorted(table.by_id("Image Index").items()):
            stem = Path(name).stem
            samples[stem] = self._sample(stem, row, table, classes, folds.get(stem, ""))
        ids = list(samples)
        found = match(self, places, path, ids, files, tree, allow_partial)
        missing = found.missing
        if path.name.casefold() == SAMPLE_TABLE:
            if not allow_partial:
                raise self.missing(
                    places,
                    f"is there only in part, the sample of {len(ids):,} images in {tree.root}",
                    partial=True,
                )
            missing += (self.source_images or 0) - len(ids)
        kept, warnings = settle_folds(
            [samples[name] for name in found.ids], "the official lists of ChestX-ray14"
        )
        return RawData(
            samples=kept,
            sources=[files[name] for name in found.ids],
            decode=partial(read_image, size=size, channels=1),
            fingerprint=hashlib.sha256((sha256_file(path) + digest).encode()).hexdigest(),
            notes=_notes(kept),
            missing=missing,
            excluded=[
                *found.excluded,
                *tree.left_out(files.values(), self.images_in(tree)),
            ],
            warnings=[*copies_note(copies), *warnings],
        )

    def images_in(self, tree: RawFolder) -> list[Path]:
        """List images named as NIH names them: patient, underscore, follow-up."""
        return [file for file in tree.images() if file.stem.replace("_", "", 1).isdecimal()]

    def _sample(
        self, stem: str, row: Row, table: Table, classes: dict[str, str], fold: str
    ) -> Sample:
        where = f"{table.path}, line {row.line}"
        if not row["Patient ID"]:
            raise MedflError(f"{where}: `Patient ID` is empty.")
        words = [word.strip() for word in row["Finding Labels"].split("|")]
        words = [word for word in words if plain(word) != plain(NO_FINDING)]
        for word in words:
            if plain(word) not in classes:
                known = ", ".join((*self.classes, NO_FINDING))
                raise MedflError(f"{where}: the finding `{word}` is not one of {known}.")
        attributes = {name: row.get(column) for name, column in ATTRIBUTES.items()}
        attributes["age"] = _years(attributes["age"])
        return Sample(
            id=stem,
            labels=tuple(sorted(dict.fromkeys(classes[plain(word)] for word in words))),
            group=row["Patient ID"].lstrip("0") or "0",
            modality=self.modality,
            fold=fold,
            attributes=attributes,
        )


def _years(age: str) -> str:
    """Read the ``058Y`` of older tables as 58; what is no number of years stays as it is."""
    digits = age.upper().removesuffix("Y")
    return str(int(digits)) if digits.isdecimal() else age


def _folds(tree: RawFolder) -> tuple[dict[str, str], str]:
    """Read the fold of each listed image; also gives a hash over the lists."""
    folds: dict[str, str] = {}
    digest = ""
    paths = {fold: tree.find(*names) for fold, names in LISTS.items()}
    if not all(paths.values()):
        return {}, ""
    for fold, path in paths.items():
        assert path is not None
        digest += sha256_file(path)
        for line in read_text(path, "utf-8-sig", "replace").split():
            stem = Path(line).stem
            if folds.setdefault(stem, fold) != fold:
                raise MedflError(f"{path}: {line} is in the official list of {folds[stem]} too.")
    return folds, digest


def _notes(samples: list[Sample]) -> str:
    if samples and samples[0].fold:
        return (
            "Folds: the official test list; the official train_val list is `train`, of which "
            "splits take validation patients."
        )
    return "No official folds in this store: splits make theirs, by patient."


CHESTXRAY14 = ChestXray14(
    name="chestxray14",
    title="NIH ChestX-ray14",
    classes=(
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
        "Consolidation",
        "Edema",
        "Emphysema",
        "Fibrosis",
        "Pleural_Thickening",
        "Hernia",
    ),
    modality="DX",
    citation=(
        "Wang, Peng, Lu, Lu, Bagheri, Summers. ChestX-ray8: hospital-scale chest X-ray database "
        "and benchmarks on weakly-supervised classification and localization of common thorax "
        "diseases. CVPR (2017)."
    ),
    licence="free use with citation and a link to the NIH Clinical Center's download page",
    where=(
        "the table Data_Entry_2017_v2020.csv, the lists train_val_list.txt and test_list.txt, and "
        "the folders images_001/images to images_012/images, from "
        "https://nihcc.app.box.com/v/ChestXray-NIHCC."
    ),
    default_size=64,
    task="multilabel",
    source_images=112120,
    folders=("chestxray14", "ChestX-ray14", "chest-xray14", "NIH-ChestXray14", "ChestXray-NIHCC"),
    aliases=("chestx-ray14", "chestxray", "chestx-ray8", "nih", "nihcc", "cxr14", "chestxray8"),
    disk="about 45 GB",
    notes=(
        "14 findings mined from reports, several or none an image (`No Finding` is none): labels "
        "are noisy. The patient is the group. One hospital: there are no natural sites."
    ),
)
