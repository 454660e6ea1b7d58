"""DICOM slices below a folder as volumes, each under one name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medfl.data.own.files import Found
from medfl.data.own.join import Left
from medfl.errors import MedflError


def find_volumes(found: Found) -> tuple[Found, list[Left]]:
    """Put slices together; each volume takes the place of its files.

    A volume is named by the folder that it has to itself, else by its first file. Files that are
    in no volume are left out.

    Raises:
        MedflError: where nothing is a volume.
    """
    from medfl.data.volume import plan_series

    stacks, exclusions = plan_series(found.path(name) for name in found.files)
    left = []
    for one in exclusions:
        # A reason may name another file, by its whole path.
        reason = "a copy of another slice" if str(found.folder) in one.reason else one.reason
        name = Path(one.file)
        inside = name.is_relative_to(found.folder)
        left.append(Left(name.relative_to(found.folder).as_posix() if inside else "?", reason))
    if not stacks:
        raise MedflError(
            f"{found.folder} holds no volume: no two of its {len(found.files):,} DICOM files are "
            "slices of one. Leave `format: dicom-series` out to take each as an image."
        )
    whole: dict[str, int] = {}
    for stack in stacks:
        for folder in {path.parent for path in stack.files}:
            whole[str(folder)] = whole.get(str(folder), 0) + 1
    series: dict[str, tuple[Path, ...]] = {}
    for stack in stacks:
        first = stack.files[0]
        folders = {path.parent for path in stack.files}
        alone = len(folders) == 1 and whole[str(first.parent)] == 1
        place = first.parent if alone and first.parent != found.folder else first
        series[place.relative_to(found.folder).as_posix()] = stack.files
    return replace(found, files=sorted(series), series=series), left
