"""HAM10000: 10,015 dermatoscopic images from four sources, as its authors publish it.

Source: Tschandl, Rosendahl, Kittler, Scientific Data 5:180161 (2018), doi:10.1038/sdata.2018.161.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from medfl.datasets.base import Dataset, Places
from medfl.datasets.published import copies_note, find_table, match
from medfl.datasets.raw_folder import RawFolder, look_into, one_each
from medfl.datasets.tables import Row, Table, read_table
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.imaging.images import read_image
from medfl.store import Sample
from medfl.store.raw import RawData

METADATA = ("HAM10000_metadata", "HAM10000_metadata.csv", "HAM10000_metadata.tab")
FOLDERS = ("HAM10000_images_part_1", "HAM10000_images_part_2", "HAM10000_images")
REQUIRED = ("lesion_id", "image_id", "dx")
ATTRIBUTES = ("age", "sex", "localization", "dx_type")


class Ham10000(Dataset):
    """Images in two folders (or one) at any depth, and one metadata table."""

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read the table, match it with the images, decode to (3, size, size).

        An oblong image is cropped to its central square: the lesions are centred.
        """
        tree = look_into(self.root(places))
        path = find_table(self, places, tree, *METADATA)
        files, copies = one_each((file.stem, file) for file in self.images_in(tree))
        table = read_table(path, REQUIRED, (*ATTRIBUTES, "dataset"))
        rows = table.by_id("image_id")
        samples = {name: self._sample(row, table) for name, row in sorted(rows.items())}
        found = match(self, places, path, list(samples), files, tree, allow_partial)
        return RawData(
            samples=[samples[name] for name in found.ids],
            sources=[files[name] for name in found.ids],
            decode=partial(read_image, size=size),
            fingerprint=sha256_file(path),
            notes=_notes(table),
            missing=found.missing,
            excluded=[
                *found.excluded,
                *tree.left_out(files.values(), self.images_in(tree)),
            ],
            warnings=copies_note(copies),
        )

    def images_in(self, tree: RawFolder) -> list[Path]:
        """List the images of the two parts; without such folders, all that are named as theirs.

        Copies may hold segmentations or the challenge's test images in other folders.
        """
        return tree.images(*FOLDERS) or [
            file for file in tree.images() if file.stem.removeprefix("ISIC_").isdecimal()
        ]

    def _sample(self, row: Row, table: Table) -> Sample:
        if row["dx"].casefold() not in self.classes:
            raise MedflError(
                f"{table.path}, line {row.line}: the diagnosis dx is `{row['dx']}`, which is not "
                f"one of {', '.join(self.classes)}."
            )
        if not row["lesion_id"]:
            raise MedflError(f"{table.path}, line {row.line}: `lesion_id` is empty.")
        return Sample(
            id=row["image_id"],
            labels=(row["dx"].casefold(),),
            group=row["lesion_id"],
            site=row.get("dataset"),
            modality=self.modality,
            attributes={name: row.get(name) for name in ATTRIBUTES},
        )


def _notes(table: Table) -> str:
    if "dataset" in table.columns:
        return ""
    return (
        "This copy of the metadata has no column `dataset` (some redistributions drop it), so "
        "the sites are unknown: use the table published on the Harvard Dataverse."
    )


HAM10000 = Ham10000(
    name="ham10000",
    title="HAM10000",
    classes=("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
    modality="XC",
    citation=(
        "Tschandl, Rosendahl, Kittler. The HAM10000 dataset, a large collection of multi-source "
        "dermatoscopic images of common pigmented skin lesions. Scientific Data 5:180161 (2018)."
    ),
    licence="CC BY-NC 4.0",
    where=(
        "the folders HAM10000_images_part_1 and HAM10000_images_part_2 and the table "
        "HAM10000_metadata (.csv or .tab), from https://doi.org/10.7910/DVN/DBW86T."
    ),
    default_size=64,
    source_images=10015,
    folders=("ham10000", "skin-cancer-mnist-ham10000"),
    aliases=("ham", "ham-10000", "isic2018"),
    sites=("rosendahl", "vidir_modern", "vidir_molemax", "vienna_dias"),
    disk="about 3 GB",
    group="lesion",
    notes="Several images show one lesion: lesion_id is the group. The sites are the four sources.",
)
