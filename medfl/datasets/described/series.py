"""Put DICOM slices below a folder together as volumes, each under one name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.datasets.described.files import COPY, Found
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.imaging.volume.series import plan_slices, reason_of
from medfl.imaging.volume.slices import slices_in

if TYPE_CHECKING:
    from pydicom import Dataset

    from medfl.imaging.dicom import FileHeader
    from medfl.imaging.volume.slices import Slice

FEWEST = 3
"""Slices at different places that make a series look like a volume."""


def slices_or_reason(header: Dataset, path: Path) -> tuple[Slice, ...] | str:
    """Find the slices of a file, or why it has none that a volume can use."""
    try:
        return tuple(slices_in(header, path))
    except MedflError as error:
        return reason_of(error, path)


def find_volumes(found: Found) -> Found:
    """Put slices together; each volume takes the place of its files.

    A volume is named by the folder that it has to itself, else by its first file. Files that are
    in no volume are left out.

    Args:
        found: the files, with what ``slices_or_reason`` made of each header.

    Raises:
        MedflError: nothing is a volume.
    """
    left = list(found.left)
    slices: list[Slice] = []
    for name in found.files:
        if name in found.copies:
            left.append(Exclusion(name, COPY, twin=found.copies[name]))
            continue
        of_file = found.headers[name].also
        if isinstance(of_file, str):
            left.append(Exclusion(name, of_file))
        else:
            slices += of_file
    stacks, exclusions = plan_slices(slices)
    for one in exclusions:
        reason = f"has frames of which one {one.reason}" if one.frame else one.reason
        left.append(Exclusion(found.relative(Path(one.file)), reason))
    shared = Counter(stack.files for stack in stacks)
    for files, count in shared.items():
        if count > 1:
            reason = f"holds {count} volumes: one was expected"
            left += [Exclusion(found.relative(path), reason) for path in files]
    stacks = [stack for stack in stacks if shared[stack.files] == 1]
    if not stacks:
        raise MedflError(
            f"{found.folder} holds no volume: no two of its {len(found.files):,} DICOM files are "
            "slices of one. Leave `format: dicom-series` out to take each as an image."
        )
    whole = Counter(folder for stack in stacks for folder in {path.parent for path in stack.files})
    volumes = {}
    for stack in stacks:
        first = stack.files[0]
        alone = len({path.parent for path in stack.files}) == 1 and whole[first.parent] == 1
        place = first.parent if alone and first.parent != found.folder else first
        volumes[found.relative(place)] = stack
    return replace(found, files=sorted(volumes), left=left, stacks=volumes)


def slices_hint(headers: Iterable[FileHeader]) -> list[str]:
    """Warn where images that are taken one by one are clearly slices of volumes."""
    places: dict[str, set[str]] = defaultdict(set)
    for header in headers:
        if header.modality in ("CT", "MR", "PT") and header.series:
            places[header.series].add(header.attributes.get("ImagePositionPatient", ""))
    volumes = sum(len(one - {""}) >= FEWEST for one in places.values())
    if not volumes or volumes * 2 <= len(places):
        return []
    return [
        f"THESE LOOK LIKE SLICES of {volumes:,} volumes, and each was taken as an image by itself: "
        "say `format: dicom-series` to put them together, or `format: dicom` if they are meant so"
    ]
