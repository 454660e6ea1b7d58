"""Images or volumes: a store holds one kind, so the rarer kind is left out, and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from medfl.datasets.described.files import Found
from medfl.datasets.described.join import Item
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.imaging.kinds import kind_by_ending
from medfl.imaging.volume import open_nifti

AMONG = {
    2: "is an image, and most of the others are volumes: a store holds one kind",
    3: "is a volume, and most of the others are images: a store holds one kind",
}


def of_the_rarer_kind(items: Sequence[Item], found: Found) -> dict[int, Exclusion]:
    """Find the samples that are images among volumes, or volumes among images, by row.

    Without this the first sample would decide, and a lone one at the beginning would have all
    others left out.
    """
    kinds = [_dimensions(item.files[0], found) for item in items]
    counts = Counter(filter(None, kinds))
    if len(counts) < 2:
        return {}
    usual = counts.most_common(1)[0][0]
    return {
        row: Exclusion(item.key, AMONG[kind])
        for row, (item, kind) in enumerate(zip(items, kinds, strict=True))
        if kind and kind != usual
    }


def _dimensions(name: str, found: Found) -> int:
    """2 for an image, 3 for a volume, 0 where only reading the file could tell."""
    if name in found.stacks:
        return 3
    kind = "dicom" if name in found.headers else kind_by_ending(name)
    if kind != "nifti":
        return 0 if kind == "npz" else 2
    try:
        return 2 if open_nifti(found.folder / name).is_flat else 3
    except MedflError:  # it is left out when it is read
        return 0
