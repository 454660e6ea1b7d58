"""HAM10000: 10,015 dermatoscopic images from four sources, as its authors publish it.

Source: Tschandl, Rosendahl, Kittler, Scientific Data 5:180161 (2018), doi:10.1038/sdata.2018.161.
"""

from __future__ import annotations

import csv
from functools import partial
from itertools import pairwise
from pathlib import Path

from medfl.data.catalog.base import Dataset, Places, RawData
from medfl.data.images import read_image
from medfl.data.store import Sample
from medfl.errors import MedflError
from medfl.files import sha256_file

METADATA = ("HAM10000_metadata", "HAM10000_metadata.csv", "HAM10000_metadata.tab")
FOLDERS = ("HAM10000_images_part_1", "HAM10000_images_part_2", "HAM10000_images")
REQUIRED = ("lesion_id", "image_id", "dx")


class Ham10000(Dataset):
    """Images in two folders and one metadata table, comma- or tab-separated."""

    def read(self, places: Places, size: int, allow_partial: bool = False) -> RawData:
        """Read the table, match it with the images, decode to (3, size, size).

        An oblong image is cropped to its central square: the lesions are centred.
        """
        root = places.find("ham10000")
        if root is None:
            raise self.missing(places, "ham10000")
        table = next((root / name for name in METADATA if (root / name).is_file()), None)
        found = (path for name in FOLDERS for path in (root / name).glob("*.jpg"))
        files = {path.stem: path for path in found if path.is_file()}
        if table is None or not files:
            lacking = [] if files else [f"no images in {' or '.join(FOLDERS[:2])}"]
            if table is None:
                lacking.insert(0, f"no {METADATA[0]} (.csv or .tab)")
            raise self.missing(places, "ham10000", f"is incomplete in {root}: {', '.join(lacking)}")
        rows = _read_table(table)
        samples, notes = self._samples(rows, table)
        self._check_complete(places, root, table, [row.id for row in samples], files)
        sources = [files[sample.id] for sample in samples]
        decode = partial(read_image, size=size)
        return RawData(samples, sources, decode, sha256_file(table), notes)

    def _samples(self, rows: list[dict[str, str]], table: Path) -> tuple[list[Sample], str]:
        samples = []
        for line, row in enumerate(rows, start=2):
            if row["dx"] not in self.classes:
                raise MedflError(
                    f"{table}, line {line}: the diagnosis dx is `{row['dx']}`, which is not one of "
                    f"{', '.join(self.classes)}."
                )
            if not row["image_id"] or not row["lesion_id"]:
                raise MedflError(f"{table}, line {line}: image_id or lesion_id is empty.")
            samples.append(
                Sample(
                    id=row["image_id"],
                    labels=(row["dx"],),
                    group=row["lesion_id"],
                    site=row.get("dataset", ""),
                    modality=self.modality,
                )
            )
        samples.sort(key=lambda sample: sample.id)
        for one, other in pairwise(samples):
            if one.id == other.id:
                raise MedflError(f"{table}: the image_id {one.id} stands there twice.")
        if any(sample.site for sample in samples):
            return samples, ""
        return samples, (
            "This copy of the metadata has no column `dataset` (some redistributions drop it), so "
            "the sites are unknown: use the table published on the Harvard Dataverse."
        )

    def _check_complete(
        self, places: Places, root: Path, table: Path, ids: list[str], files: dict[str, Path]
    ) -> None:
        absent = [name for name in ids if name not in files]
        if absent:
            problem = (
                f"is incomplete in {root}: {table.name} lists {len(ids):,} images, of which "
                f"{len(absent):,} are missing (the first is {absent[0]}.jpg)"
            )
            raise self.missing(places, "ham10000", problem)
        extra = sorted(set(files) - set(ids))
        if extra:
            problem = (
                f"is inconsistent in {root}: {len(extra):,} of {len(files):,} images (the first is "
                f"{extra[0]}.jpg) are not in {table.name}, which has {len(ids):,} rows"
            )
            raise self.missing(places, "ham10000", problem)


def _read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a comma- or tab-separated table; the required columns must be there."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MedflError(f"{path} is not a text table: {error}.") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter="\t" if "\t" in header else ",")
    lacking = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
    if lacking:
        raise MedflError(
            f"{path} lacks the column {' and '.join(lacking)}; it has {header!r}. "
            f"Expected at least {', '.join(REQUIRED)}, and `dataset` for the sites."
        )
    rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    if not rows:
        raise MedflError(f"{path} has no rows.")
    return rows


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
    notes="Several images show one lesion: lesion_id is the group. The sites are the four sources.",
)
