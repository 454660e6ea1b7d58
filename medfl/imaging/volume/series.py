"""Sort a heap of DICOM files into stacks of slices: which file belongs to which volume."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from medfl.errors import FileError, MedflError
from medfl.files.exclusions import Exclusion
from medfl.files.walk import walk
from medfl.imaging.volume.canonical import Spacing, Volume
from medfl.imaging.volume.slices import REPEATS, Slice, read_slices
from medfl.imaging.volume.stack import SAME_PLACE, Stack, read_stack

SAME_DIRECTION = 2e-3  # difference of unit vectors: rounding in the files, a tenth of a degree


def find_series(root: str | os.PathLike[str]) -> tuple[list[Stack], list[Exclusion]]:
    """Look through a folder by headers only: the volumes in it, and every file that is in none.

    Raises:
        MedflError: there is no such folder.
    """
    if not Path(root).is_dir():
        raise MedflError(f"there is no folder {root} to look for DICOM series in.")
    found = walk(Path(root))
    stacks, exclusions = plan_series(sorted(found.files))
    return stacks, exclusions + found.left_out


def read_series(
    files: Iterable[str | os.PathLike[str]],
    spacing: Spacing | None = None,
    canonical: bool = True,
) -> tuple[list[Volume], list[Exclusion]]:
    """Read files into the volumes that they make up.

    Args:
        files: DICOM files in any order, of one series or several.
        spacing: the result's in mm, one number or (depth, height, width); None keeps it.
        canonical: turn the axes to superior, posterior, left; else they are (across the slices,
            rows, columns) as stored.

    Returns:
        The volumes, and the files that are in none of them, with the reason. For more volumes
        than fit in memory, ``plan_series`` and ``read_stack`` give one at a time.
    """
    stacks, exclusions = plan_series(files)
    volumes = []
    for stack in stacks:
        try:
            volumes.append(read_stack(stack, spacing, canonical))
        except MedflError as error:
            exclusions += [Exclusion(str(path), reason_of(error, path)) for path in stack.files]
    return volumes, exclusions


def plan_series(
    files: Iterable[str | os.PathLike[str]],
) -> tuple[list[Stack], list[Exclusion]]:
    """Sort files into stacks by their headers; no pixels are read."""
    slices: list[Slice] = []
    exclusions: list[Exclusion] = []
    seen: dict[str, Path] = {}
    for path in map(Path, files):
        try:
            found = read_slices(path)
        except MedflError as error:
            exclusions.append(Exclusion(str(path), reason_of(error, path)))
            continue
        uid = found[0].uid
        if uid and uid in seen:
            reason = "is a copy: the same SOP instance"
            exclusions.append(Exclusion(str(path), reason, twin=str(seen[uid])))
            continue
        seen[uid] = path
        slices += found
    stacks, left = plan_slices(slices)
    return stacks, exclusions + left


def plan_slices(slices: Iterable[Slice]) -> tuple[list[Stack], list[Exclusion]]:
    """Sort slices into stacks; none of their files is a copy of another."""
    exclusions: list[Exclusion] = []
    by_series = defaultdict(list)
    for item in slices:
        by_series[item.series].append(item)
    stacks: list[Stack] = []
    for members in by_series.values():
        made, left = _stacks(members)
        stacks += made
        exclusions += left
    return stacks, exclusions


def _stacks(slices: list[Slice]) -> tuple[list[Stack], list[Exclusion]]:
    """Sort the slices of one series into stacks."""
    parts: list[tuple[list[Slice], str]] = []
    for group in _alike(slices):
        parts += _without_repeats(group)
    stacks: list[Stack] = []
    exclusions: list[Exclusion] = []
    for members, why in parts:
        kept, copies = _one_a_place(members)
        exclusions += copies
        if len(kept) == 1:
            reason = "a single slice; a volume has at least two"
            exclusions.append(_without(kept[0], reason))
            continue
        notes = [why] if why else []
        if copies:
            notes.append(f"{len(copies)} slices lay where another already did, and were left out")
        stacks.append(Stack(tuple(kept), tuple(notes)))
    if len(stacks) > 1:
        note = f"its series was split into {len(stacks)} volumes"
        stacks = [
            Stack(stack.slices, (f"{note}: this is number {k}", *stack.notes))
            for k, stack in enumerate(stacks, start=1)
        ]
    return stacks, exclusions


def _alike(slices: list[Slice]) -> list[list[Slice]]:
    """Group what could be one volume: same matrix, spacing, direction, image type and echo."""
    groups: list[list[Slice]] = []
    for item in sorted(slices, key=lambda one: one.number):
        for group in groups:
            first = group[0]
            if (
                item.kind == first.kind
                and item.shape == first.shape
                and np.allclose(item.spacing, first.spacing, rtol=1e-3)
                and np.allclose(item.along, first.along, rtol=0, atol=SAME_DIRECTION)
            ):
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def _places(slices: list[Slice]) -> list[list[Slice]]:
    """The slices of each place along the normal, in ascending order."""
    ordered = sorted(slices, key=lambda one: (one.place, one.number))
    places = [[ordered[0]]]
    for item in ordered[1:]:
        if item.place - places[-1][0].place < SAME_PLACE:
            places[-1].append(item)
        else:
            places.append([item])
    return [sorted(place, key=lambda one: one.number) for place in places]


def _without_repeats(slices: list[Slice]) -> list[tuple[list[Slice], str]]:
    """Split a group in which every place occurs several times, and say by what."""
    places = _places(slices)
    if len(places) == len(slices) or len(places) == 1:
        return [(slices, "")]
    for name, words in REPEATS.items():
        groups = defaultdict(list)
        for item in slices:
            groups[item.repeats.get(name, "")].append(item)
        whole = [len(_places(g)) for g in groups.values()] == [len(g) for g in groups.values()]
        if len(groups) > 1 and whole and min(map(len, groups.values())) > 1:
            # The groups stand in the order of instance numbers: the values are text, or times.
            return [(group, f"one {words} of {len(groups)}") for group in groups.values()]
    times = {len(place) for place in places}
    if len(times) == 1:
        count = times.pop()
        return [
            ([place[k] for place in places], f"repetition {k + 1} of {count}, by instance number")
            for k in range(count)
        ]
    return [(slices, "")]


def _one_a_place(slices: list[Slice]) -> tuple[list[Slice], list[Exclusion]]:
    """Take the first slice at each place, in order along the normal; list the others."""
    kept, copies = [], []
    for first, *others in _places(slices):
        kept.append(first)
        copies += [_without(item, "lies where another slice does", first) for item in others]
    return kept, copies


def _without(item: Slice, reason: str, twin: Slice | None = None) -> Exclusion:
    return Exclusion(str(item.path), reason, str(twin.path) if twin else "", frame=item.index)


def reason_of(error: MedflError, path: Path) -> str:
    """Repeat what an error says about ``path`` or another file of its series, without names."""
    if isinstance(error, FileError):
        return error.reason if error.path == path else f"has a fellow that {error.reason}"
    return str(error).removeprefix(str(path)).lstrip(": ").rstrip(".")
