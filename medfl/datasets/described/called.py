"""What a table may call files: their paths or names, with or without the ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medfl.datasets.described.files import Found
from medfl.imaging.kinds import voxels_of


def is_listed(cell: str, out: Mapping[str, list[str]], found: Found) -> bool:
    """Whether a file that the table names is there, and was left out with a reason."""
    name = cell_path(cell, found)
    return bool(name) and name in out


def cell_path(cell: str, found: Found) -> str:
    """Read a table's path as one from the folder of the images."""
    name = cell.replace("\\", "/").removeprefix("./")
    return name.removeprefix(found.folder.as_posix().rstrip("/") + "/")


def index_of(files: Sequence[str]) -> dict[str, list[str]]:
    """Sort files by what a table may call them."""
    index: dict[str, list[str]] = {}
    for file in files:
        for key in called(file):
            index.setdefault(key, []).append(file)
    return index


def called(file: str) -> set[str]:
    """List what a table may call a file: path or name, with its ending or without.

    A header (``.hdr``) may be called as its voxels (``.img``) are.
    """
    name = file.rsplit("/", 1)[-1]
    voxels = voxels_of(Path(file))
    pair = {voxels.as_posix(), voxels.name} if voxels else set()
    return {file, _stem(file), name, _stem(name)} | pair


def _stem(name: str) -> str:
    if name.lower().endswith((".nii.gz", ".hdr.gz")):
        return name[: -len(".nii.gz")]
    head, dot, end = name.rpartition(".")
    return head if dot and head and "/" not in end else name
