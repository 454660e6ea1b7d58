"""The six centres of Fed-ISIC2019: which hospital or archive an image of ISIC 2019 comes from.

They are those of FLamby (Ogier du Terrail et al., NeurIPS 2022 Datasets and Benchmarks): the prefix
of ``lesion_id``, and for HAM10000 the column ``dataset`` of its own metadata. Images without
``lesion_id`` have no centre there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from medfl.datasets.base import Places
from medfl.datasets.catalog import ham10000
from medfl.datasets.raw_folder import RawFolder, look_into
from medfl.datasets.tables import read_table
from medfl.errors import MedflError
from medfl.files import sha256_file
from medfl.store import Sample

SPLIT = ("fed_isic2019_train_test_split.csv", "train_test_split", "train_test_split.csv")
CENTRES = (
    "BCN",
    "HAM_vidir_molemax",
    "HAM_vidir_modern",
    "HAM_rosendahl",
    "MSK",
    "HAM_vienna_dias",
)  # in the order of FLamby's numbers
UNKNOWN, HAM = "unknown", "HAM"


@dataclass(frozen=True)
class Centres:
    """What two tables say about the images' centres: FLamby's and HAM10000's.

    Attributes:
        numbers: centre and FLamby's fold by image.
        ham: source in HAM10000 by image.
        digest: hash of the tables.
    """

    numbers: Mapping[str, tuple[str, str]]
    ham: Mapping[str, str]
    digest: str


def centre_of(name: str, lesion: str, ham: Mapping[str, str]) -> str:
    """Find the centre by FLamby's rule; ``HAM`` where HAM10000's metadata are not there."""
    if not lesion:
        return UNKNOWN
    if lesion.startswith("HAM_"):
        return f"HAM_{ham[name]}" if ham.get(name) else HAM
    return next((archive for archive in ("BCN", "MSK") if lesion.startswith(archive)), "")


def find_centres(places: Places, tree: RawFolder) -> Centres:
    """Read what FLamby's table and HAM10000's say, where they are there."""
    numbers: dict[str, tuple[str, str]] = {}
    digest = ""
    split = tree.find(*SPLIT)
    if split is not None:
        digest += sha256_file(split)
        centres = {str(number): name for number, name in enumerate(CENTRES)}
        for name, row in read_table(split, ("image", "center", "fold")).by_id("image").items():
            number = row["center"].removesuffix(".0")
            if number not in centres:
                raise MedflError(
                    f"{split}, line {row.line}: the center `{row['center']}` is none of 0 to 5."
                )
            numbers[name] = (centres[number], row["fold"])
    metadata = tree.find(*ham10000.METADATA)
    if metadata is None:
        beside = places.find(*ham10000.HAM10000.folders)
        metadata = look_into(beside).find(*ham10000.METADATA) if beside else None
    ham = {}
    if metadata is not None:
        digest += sha256_file(metadata)
        table = read_table(metadata, ("image_id",), ("dataset",))
        ham = {name: row.get("dataset") for name, row in table.by_id("image_id").items()}
    return Centres(numbers, ham, digest)


def about_centres(samples: list[Sample]) -> list[str]:
    """Warnings about images whose centre is not known, or not known apart from others."""
    count = Counter(sample.site for sample in samples)
    warnings = []
    if count[HAM]:
        warnings.append(
            f"the four centres of HAM10000 ({count[HAM]:,} images here) are one site `{HAM}`: put "
            f"{ham10000.METADATA[0]} or FLamby's {SPLIT[0]} beside the tables to tell them apart"
        )
    if count[UNKNOWN]:
        warnings.append(
            f"{count[UNKNOWN]:,} images have no lesion_id: their centre is unknown (site "
            f"`{UNKNOWN}`), and each is its own group. fed-isic2019 leaves them out, as FLamby does"
        )
    return warnings
