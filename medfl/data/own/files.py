"""The files below a folder, and what each of them is by its ending."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medfl.data.own.schema import Format
from medfl.errors import MedflError

ENDINGS = {
    "image": (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".pgm"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "nifti": (".nii", ".nii.gz"),
    "npz": (".npz", ".npy"),
}
NO_DATA = ("DICOMDIR", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True)
class Found:
    """Files below a folder, by their path from it, with ``/``, sorted.

    Attributes:
        folder: where they lie.
        files: data, one a name; a volume of many slices has one name too.
        others: what is no data.
        series: the slices of such volumes.
    """

    folder: Path
    files: list[str]
    others: list[str]
    series: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """The whole path of a file, of a volume's first one."""
        return self.series[name][0] if name in self.series else self.folder / name

    def source(self, name: str) -> Path | tuple[Path, ...]:
        """A file, or the slices of a volume."""
        return self.series.get(name) or self.folder / name


def kind_of(path: Path) -> str | None:
    """What a file is: image, dicom, nifti, npz; None for anything else."""
    name = path.name.lower()
    for kind, endings in ENDINGS.items():
        if name.endswith(endings):
            return kind
    # Scanners and archives write DICOM without an ending, or end the name with a UID.
    if not path.suffix or re.fullmatch(r"\.\d+", path.suffix):
        try:
            with path.open("rb") as file:
                return "dicom" if file.read(132)[128:] == b"DICM" else None
        except OSError:
            return None
    return None


def list_files(folder: Path, pattern: str = "", form: Format = "auto") -> Found:
    """All data files below a folder, through links too; hidden ones do not count.

    Args:
        folder: where to look.
        pattern: such as ``**/*.dcm``; everything where empty.
        form: only files of this kind; ``auto`` takes every known kind.

    Raises:
        MedflError: where there is no such folder, or nothing to read in it.
    """
    if not folder.is_dir():
        raise MedflError(f"{folder} is not a folder.")
    wanted = form.removesuffix("-series") if form != "auto" else None
    chosen = _pattern(pattern) if pattern else None
    files: list[str] = []
    others: list[str] = []
    for name in _walk(folder):
        if chosen is not None and not chosen.fullmatch(name):
            continue
        kind = kind_of(folder / name)
        (files if kind and wanted in (None, kind) else others).append(name)
    if not files:
        what = {None: "image, DICOM, NIfTI or npz file", "image": "image"}.get(wanted, wanted)
        which = f" that matches `{pattern}`" if pattern else ""
        raise MedflError(f"{folder} holds no {what}{which} ({len(others):,} other files).")
    return Found(folder, files, others)


def _walk(folder: Path) -> list[str]:
    names, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        inode = os.stat(place)
        if (inode.st_dev, inode.st_ino) in seen:  # a link to a folder above it
            folders[:] = []
            continue
        seen.add((inode.st_dev, inode.st_ino))
        folders[:] = [name for name in folders if _counts(name)]
        below = Path(place).relative_to(folder)
        names += [(below / name).as_posix() for name in files if _counts(name)]
    return sorted(names)


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in NO_DATA


def _pattern(glob: str) -> re.Pattern[str]:
    """``*`` and ``?`` stay within a folder, ``**/`` stands for any number of folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part) or re.escape(part) for part in parts))


def id_pattern(files: str) -> re.Pattern[str]:
    """Of a modality: ``{id}/t1.nii.gz`` as an expression whose group is the sample's name."""
    before, after = files.removeprefix("./").split("{id}")
    return re.compile(f"{_pattern(before).pattern}([^/]+){_pattern(after).pattern}")
