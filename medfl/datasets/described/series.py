"""Put DICOM slices below a folder together as volumes, each under one name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.datasets.described.files import COPY, RELABELLED, Found
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.imaging.volume.series import plan_slices, reason_of
from medfl.imaging.volume.slices import slices_in

if TYPE_CHECKING:
    from pydicom import Dataset

    from medfl.imaging.dicom import FileHeader
    from medfl.imaging.volume import Stack
    from medfl.imaging.volume.slices import Slice

FEWEST = 3
"""Slices at different places that make a series look like a volume."""

SCOUT = "is of a localiser, as its ImageType says, and others are volumes"


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
        of_file = found.headers[name].also
        if isinstance(of_file, str):
            left.append(Exclusion(name, of_file))
        elif name not in found.copies:
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
    if wanted := [stack for stack in stacks if not stack.slices[0].is_localiser]:
        scouts = [stack for stack in stacks if stack.slices[0].is_localiser]
        left += [Exclusion(found.relative(path), SCOUT) for one in scouts for path in one.files]
        stacks = wanted  # where all are localisers, they are meant
    if not stacks:
        raise MedflError(
            f"{found.place} holds no volume: no two of its {len(found.files):,} DICOM files are "
            "slices of one. Leave `format: dicom-series` out to take each as an image."
        )
    copies, lone = _copied(found, stacks)
    left += lone
    volumes = _named(found, [*stacks, *(copy for copy, _ in copies)])
    names = {stack.files: name for name, stack in volumes.items()}
    twins = {names[copy.files]: names[whole.files] for copy, whole in copies}
    return replace(found, files=sorted(volumes), left=left, stacks=volumes, copies=twins)


def _named(found: Found, stacks: Sequence[Stack]) -> dict[str, Stack]:
    """Name each volume by the folder that it has to itself, else by its first file."""
    whole = Counter(folder for stack in stacks for folder in {path.parent for path in stack.files})
    volumes = {}
    for stack in stacks:
        first = stack.files[0]
        alone = len({path.parent for path in stack.files}) == 1 and whole[first.parent] == 1
        place = first.parent if alone and first.parent != found.folder else first
        volumes[found.relative(place)] = stack
    return volumes


def _copied(
    found: Found, stacks: Sequence[Stack]
) -> tuple[list[tuple[Stack, Stack]], list[Exclusion]]:
    """Put copies of slices together: a folder's copies of a whole volume are a volume themselves.

    Returns:
        Each copied volume with the one of which it is a copy; the copies of single slices.
    """
    volume_of = {found.relative(path): stack for stack in stacks for path in stack.files}
    families: dict[tuple[str, int], list[str]] = defaultdict(list)
    lone = []
    taken = set(found.files)
    for name, first in found.copies.items():
        if name not in taken or isinstance(found.headers[name].also, str):
            continue
        if first in volume_of:
            families[name.rpartition("/")[0], id(volume_of[first])].append(name)
        else:
            lone.append(Exclusion(name, COPY, twin=first))
    pairs = []
    for members in families.values():
        whole = volume_of[found.copies[members[0]]]
        made, _ = plan_slices(item for name in members for item in found.headers[name].also)
        if len(made) == 1 and len(made[0].files) == len(members) == len(whole.files):
            pairs.append((made[0], whole))
        else:
            lone += [Exclusion(name, COPY, twin=found.copies[name]) for name in members]
    return pairs, lone


def relabelled(left: Iterable[Exclusion], label_of: Callable[[str], str | None]) -> list[Exclusion]:
    """Say of copies of single slices which lie in the folder of another label.

    Args:
        left: what is left out.
        label_of: the label of a path; None where it has none.
    """

    def differ(one: Exclusion) -> bool:
        return one.reason == COPY and bool(one.twin) and label_of(one.file) != label_of(one.twin)

    return [replace(one, reason=RELABELLED) if differ(one) else one for one in left]


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
