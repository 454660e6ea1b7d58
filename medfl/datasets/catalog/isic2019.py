"""ISIC 2019: 25,331 dermatoscopic images of three archives, and Fed-ISIC2019's six centres in it.

Sources: the challenge's training set (BCN_20000, arXiv:1908.02288; HAM10000, Scientific Data
5:180161; MSK, arXiv:1710.05006); for the centres see ``isic_centres.py``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.catalog import ham10000
from medfl.datasets.catalog.isic_centres import (
    CENTRES,
    HAM,
    SPLIT,
    UNKNOWN,
    Centres,
    about_centres,
    centre_of,
    find_centres,
)
from medfl.datasets.official import settle_folds
from medfl.datasets.published import copies_note, find_table, match
from medfl.datasets.raw_folder import RawFolder, look_into, one_each, plain
from medfl.datasets.tables import Row, read_table
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.imaging.images import read_image
from medfl.store import Sample
from medfl.store.raw import RawData

TRUTH = ("ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_GroundTruth")
METADATA = ("ISIC_2019_Training_Metadata.csv", "ISIC_2019_Training_Metadata")
FOLDER = "ISIC_2019_Training_Input"
DOWNSAMPLED = "_downsampled"
UNK = "UNK"
MARKS = {"0": False, "0.0": False, "1": True, "1.0": True}
ATTRIBUTES = {"age": "age_approx", "sex": "sex", "localization": "anatom_site_general"}


@dataclass(frozen=True)
class Isic2019(Dataset):
    """Two tables and a folder of images; ``centred`` keeps those of known centre, like FLamby."""

    centred: bool = False

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read the tables, match them with the images, decode to (3, size, size)."""
        tree = look_into(self.root(places))
        truth_path = find_table(self, places, tree, *TRUTH)
        path = find_table(self, places, tree, *METADATA)
        labels, classes = self._labels(truth_path)
        rows = read_table(path, ("image", "lesion_id"), tuple(ATTRIBUTES.values())).by_id("image")
        origin = find_centres(places, tree)
        samples = {}
        for name, label in sorted(labels.items()):
            if name not in rows:
                raise MedflError(f"{path} has no row of {name}, which {truth_path.name} lists.")
            samples[name] = self._sample(name, label, rows[name], origin, path)
        spelling = {name.removesuffix(DOWNSAMPLED): name for name in samples}
        files, copies = one_each(
            (spelling.get(file.stem.removesuffix(DOWNSAMPLED), file.stem), file)
            for file in self.images_in(tree)
        )
        taken = list(files.values())
        if self.centred:
            samples, files = self._with_centre(samples, files, path)
        found = match(self, places, truth_path, list(samples), files, tree, allow_partial)
        kept = [samples[name] for name in found.ids]
        warnings = [*copies_note(copies), *about_centres(kept)]
        if self.centred and origin.numbers:
            kept, more = settle_folds(kept, "FLamby's folds")
            warnings += more
        digest = sha256_file(truth_path) + sha256_file(path) + origin.digest
        return RawData(
            samples=kept,
            sources=[files[name] for name in found.ids],
            decode=partial(read_image, size=size),
            fingerprint=hashlib.sha256(digest.encode()).hexdigest(),
            missing=found.missing,
            excluded=[*found.excluded, *tree.left_out(taken, self.images_in(tree))],
            warnings=warnings,
            info={"classes": classes},
        )

    def images_in(self, tree: RawFolder) -> list[Path]:
        """List the images of the training folder; where there is none, all but the test set's."""
        return tree.images(FOLDER) or [
            file
            for file in tree.images()
            if file.stem.startswith("ISIC_")
            and not any("test" in plain(name) for name in tree.folders(file))
        ]

    def _labels(self, path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
        """Read each image's class from the one-hot columns; UNK is a class only if it occurs."""
        labels = {}
        for name, row in read_table(path, ("image", *self.classes), (UNK,)).by_id("image").items():
            marked = []
            for label in (*self.classes, UNK):
                cell = row.get(label) or "0"
                if cell not in MARKS:
                    raise MedflError(
                        f"{path}, line {row.line}: `{cell}` under {label} is not 0 or 1."
                    )
                if MARKS[cell]:
                    marked.append(label)
            if len(marked) != 1:
                raise MedflError(
                    f"{path}, line {row.line}: {name} has {len(marked)} classes instead of one "
                    f"({', '.join(marked) or 'no column holds a 1'})."
                )
            labels[name] = marked[0]
        known = (*self.classes, UNK) if UNK in labels.values() else self.classes
        return labels, known

    def _sample(self, name: str, label: str, row: Row, origin: Centres, path: Path) -> Sample:
        lesion = row["lesion_id"]
        given, fold = origin.numbers.get(name, ("", ""))
        centre = given or centre_of(name, lesion, origin.ham)
        if not centre:
            raise MedflError(
                f"{path}, line {row.line}: the lesion_id `{lesion}` is of no archive of ISIC 2019 "
                "(BCN_…, HAM_…, MSK…)."
            )
        return Sample(
            id=name,
            labels=(label,),
            group=lesion or name,
            site=centre,
            modality=self.modality,
            fold=fold if self.centred else "",
            attributes={
                **{key: row.get(column) for key, column in ATTRIBUTES.items()},
                "flamby_fold": fold,
            },
        )

    def _with_centre(
        self, samples: dict[str, Sample], files: dict[str, Path], path: Path
    ) -> tuple[dict[str, Sample], dict[str, Path]]:
        if any(sample.site == HAM for sample in samples.values()):
            raise MedflError(
                f"the four centres of HAM10000 cannot be told apart from {path} alone: put "
                f"{ham10000.METADATA[0]} (https://doi.org/10.7910/DVN/DBW86T) or FLamby's "
                f"{SPLIT[0]} into {path.parent}."
            )
        centred = {name: one for name, one in samples.items() if one.site != UNKNOWN}
        others = samples.keys() - centred.keys()
        return centred, {name: file for name, file in files.items() if name not in others}


_COMMON = {
    "classes": ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"),
    "modality": "XC",
    "licence": "CC BY-NC 4.0",
    "default_size": 64,
    "folders": ("isic2019", "isic-2019", "fed_isic2019", "isic2019-challenge"),
    "disk": "about 10 GB",
    "group": "lesion",
}
_TABLES = (
    "the folder ISIC_2019_Training_Input and the tables ISIC_2019_Training_GroundTruth.csv and "
    "ISIC_2019_Training_Metadata.csv, from https://challenge.isic-archive.com/data/#2019"
)
_PAPERS = (
    "Combalia et al. BCN20000: dermoscopic lesions in the wild. arXiv:1908.02288 (2019). Tschandl, "
    "Rosendahl, Kittler. The HAM10000 dataset. Scientific Data 5:180161 (2018). Codella et al. "
    "Skin lesion analysis toward melanoma detection. arXiv:1710.05006 (2017)."
)
_LESIONS = "lesion_id is the group (an image without one is its own)."

ISIC2019 = Isic2019(
    name="isic2019",
    title="ISIC 2019",
    citation=_PAPERS,
    where=f"{_TABLES}; for the centres of HAM10000 also its HAM10000_metadata.",
    source_images=25331,
    aliases=("isic", "isic-2019", "isic19"),
    sites=(*CENTRES, UNKNOWN),
    notes=f"{_LESIONS} The challenge's class UNK has no training images.",
    **_COMMON,  # type: ignore[arg-type]
)
FED_ISIC2019 = Isic2019(
    name="fed-isic2019",
    title="Fed-ISIC2019",
    citation=(
        "Ogier du Terrail et al. FLamby: datasets and benchmarks for cross-silo federated learning "
        f"in realistic healthcare settings. NeurIPS (2022). {_PAPERS}"
    ),
    where=(
        f"{_TABLES}; and, for the centres, HAM10000_metadata (https://doi.org/10.7910/DVN/DBW86T) "
        "or FLamby's fed_isic2019_train_test_split.csv."
    ),
    source_images=23247,
    aliases=("fedisic2019", "fed_isic2019", "fedisic", "flamby"),
    sites=CENTRES,
    centred=True,
    notes=(
        f"The images of ISIC 2019 with a known centre. {_LESIONS} FLamby's folds put images of one "
        "lesion into both train and test; they are kept as the column flamby_fold."
    ),
    **_COMMON,  # type: ignore[arg-type]
)
