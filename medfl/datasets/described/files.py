"""List the files below a folder, with what each of them is and the headers of DICOM files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.datasets.described.schema import Format
from medfl.errors import MedflError
from medfl.files.exclusions import Exclusion
from medfl.files.walk import walk
from medfl.identity import Identifiers, plain_path
from medfl.imaging.dicom import scan_tree
from medfl.imaging.kinds import header_of, kind_by_ending

if TYPE_CHECKING:
    from medfl.imaging.dicom import FileHeader
    from medfl.imaging.dicom.scan import Also

OTHER = "is no image, DICOM, NIfTI or npz file"
COPY = "is the same image as another file (equal SOPInstanceUID and pixels)"
RELABELLED = f"{COPY}, which has another label"


@dataclass(frozen=True)
class Found:
    """The files below a folder, by their path from it, with ``/``, sorted.

    Attributes:
        folder: where they lie.
        files: names of images; a volume of many slices has one name.
        left: what is no data, by its path, with the reason.
        headers: what is kept of the header of each DICOM image, by its path.
        copies: DICOM images that are copies, and of which one.
        stacks: the volumes that were put together from slices, by name.
        identifiers: what names the people in all headers.
        warnings: what a user should know of the DICOM images.
        scan: what looking took, for ``prepare.json``.
    """

    folder: Path
    files: list[str]
    left: list[Exclusion] = field(default_factory=list)
    headers: Mapping[str, FileHeader] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    stacks: Mapping[str, Any] = field(default_factory=dict)
    identifiers: Identifiers = field(default_factory=Identifiers)
    warnings: Sequence[str] = ()
    scan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The folder, as an error may name it."""
        return plain_path(self.folder)

    def header(self, name: str) -> FileHeader | None:
        """Give the header of a DICOM file, or of a volume's first one; None for other files."""
        if name in self.stacks:
            name = self.relative(self.stacks[name].files[0])
        return self.headers.get(name)

    def paths(self, name: str) -> list[str]:
        """Give the paths of a volume's slices, or the one of a file."""
        if name in self.stacks:
            return [self.relative(path) for path in self.stacks[name].files]
        return [name]

    def is_folder(self, name: str) -> bool:
        """Whether a volume is named by the folder that it has to itself, not by its first file."""
        return name in self.stacks and name not in self.headers

    def without(self, names: Collection[str], reason: str) -> Found:
        """Leave files out."""
        left = [*self.left, *(Exclusion(name, reason) for name in sorted(names))]
        return replace(self, files=[name for name in self.files if name not in names], left=left)

    def source(self, name: str) -> Path | tuple[Path, ...]:
        """Give a file's path, or the paths of a volume's files."""
        return self.stacks[name].files if name in self.stacks else self.folder / name

    def relative(self, path: Path) -> str:
        """Name a file by its path below the folder."""
        return path.relative_to(self.folder).as_posix()


def list_files(
    folder: Path,
    pattern: str = "",
    form: Format = "auto",
    attributes: Sequence[str] = (),
    also: Also | None = None,
) -> Found:
    """All data files below a folder, through links too; the headers of DICOM files are read.

    Args:
        folder: where to look.
        pattern: such as ``**/*.dcm``; everything where empty.
        form: only files of this kind; ``auto`` takes every known kind.
        attributes: keywords to keep of DICOM headers.
        also: what else to compute of each header.

    Raises:
        MedflError: there is no such folder, or nothing to read in it.
    """
    wanted = form.removesuffix("-series") if form != "auto" else None
    chosen = _pattern(pattern) if pattern else None

    def name(path: Path) -> str:
        return path.relative_to(folder).as_posix()

    def counts(path: Path) -> bool:
        if (header := header_of(path)) is not None and header.is_file():
            return False  # it is read with its header
        return chosen is None or chosen.fullmatch(name(path)) is not None

    tree = scan_tree(folder, attributes, also=also, chosen=counts)
    files: list[str] = []
    left = [Exclusion(name(Path(one.file)), one.reason) for one in tree.left_out]
    kinds = dict.fromkeys(tree.headers, "dicom")
    for path in [*tree.headers, *tree.others]:
        kind = kinds.get(path) or kind_by_ending(path.name)
        if kind and wanted in (None, kind):
            files.append(name(path))
        else:
            other = OTHER if wanted is None or kind is None else f"is no {wanted} file (`format`)"
            left.append(Exclusion(name(path), other))
    if not files:
        what = {None: "image, DICOM, NIfTI or npz file", "image": "image"}.get(wanted, wanted)
        which = " that matches `files`" if pattern else ""
        reasons = sorted({one.reason for one in tree.left_out})[:2]
        why = f"; {'; '.join(reasons)}" if reasons else ""
        raise MedflError(
            f"{plain_path(folder)} holds no {what}{which} ({len(left):,} other files{why})."
        )
    rate = round(tree.scanned / tree.seconds, 1) if tree.seconds > 0 else None
    scan: dict[str, Any] = {
        "files": tree.scanned,
        "seconds": round(tree.seconds, 1),
        "files_per_second": rate,
    }
    taken = set(files)
    headers = {name(path): header for path, header in tree.headers.items()}
    return Found(
        folder,
        sorted(files),
        left,
        {one: header for one, header in headers.items() if one in taken},
        {name(path): name(first) for path, first in tree.copies.items()},
        identifiers=tree.identifiers,
        warnings=tree.warnings,
        scan=scan,
    )


def count_files(folder: Path, pattern: str = "", form: Format = "auto") -> int:
    """Count what ``list_files`` would look at, by the names alone: no file is opened.

    A name without an ending counts as DICOM, whose files often have none.
    """
    wanted = form.removesuffix("-series") if form != "auto" else None
    chosen = _pattern(pattern) if pattern else None
    kinds = [
        kind_by_ending(path.name) or ("dicom" if _has_no_ending(path) else None)
        for path in walk(folder).files
        if chosen is None or chosen.fullmatch(path.relative_to(folder).as_posix())
    ]
    return sum(kind is not None and wanted in (None, kind) for kind in kinds)


def _has_no_ending(path: Path) -> bool:
    """Whether what stands behind the last point, if there is one, is the end of a DICOM UID."""
    return not path.suffix or path.suffix[1:].isdigit()


def _pattern(glob: str) -> re.Pattern[str]:
    """Read a pattern: ``*`` and ``?`` stay within a folder, ``**/`` is any number of folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part) or re.escape(part) for part in parts))


def id_pattern(files: str) -> re.Pattern[str]:
    """Read a modality's ``{id}/t1.nii.gz`` as an expression whose group is the sample's name."""
    before, after = files.removeprefix("./").split("{id}")
    return re.compile(f"{_pattern(before).pattern}([^/]+){_pattern(after).pattern}")
