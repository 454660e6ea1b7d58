"""Unpack zip files with distrust: no member leaves its folder or swells without bound."""

from __future__ import annotations

import lzma
import shutil
import stat
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from medfl.errors import MedflError, failure
from medfl.files import atomic_path, sha256_file, write_text
from medfl.files.regular import read_text

MAX_BYTES = 64 << 30  # all members together may unpack to so many
MAX_RATIO = 200  # unpacked bytes by packed ones: near 1 for images, which are compressed already
MAX_MEMBERS = 500_000
_SMALL = 1 << 20  # the ratio of a member smaller than this means nothing
MARKER = ".unpacked-from"
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack a zip file to a folder, which appears as a whole; do nothing if it is there already.

    Args:
        archive: the zip file.
        folder: where the members go; it is replaced if it holds another archive's content.
        max_bytes: the most that all members together may unpack to.

    Returns:
        ``folder``.

    Raises:
        MedflError: the file is no zip file, is damaged or encrypted, or has members that climb out
            of the folder, are links, stand there twice, or unpack to more than they say or than is
            sane.
    """
    digest = sha256_file(archive)
    marker = folder / MARKER
    if marker.is_file() and read_text(marker) == digest:
        return folder
    members = check_members(archive, max_bytes)
    print(f"unpacking {archive} to {folder}", file=sys.stderr)
    with atomic_path(folder) as target, zipfile.ZipFile(archive) as file:
        for member in members:
            path = target / PurePosixPath(member.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as output:
                _copy(archive, file, member, output)
        write_text(target / MARKER, digest)
    return folder


def check_members(archive: Path, max_bytes: int = MAX_BYTES) -> list[zipfile.ZipInfo]:
    """List the files of a zip file from its directory alone; one that is not sane is an error."""
    try:
        with zipfile.ZipFile(archive) as file:
            everything = file.infolist()
    except (*_DAMAGE, ValueError) as error:
        raise MedflError(
            f"{archive} is not a sound zip file ({failure(error)}): get this file again."
        ) from error
    if len(everything) > MAX_MEMBERS:
        raise MedflError(f"{archive} lists {len(everything):,} files: more than is sane.")
    seen: set[str] = set()
    members = []
    for member in everything:
        _check_place(archive, member)
        if member.is_dir() or member.filename.startswith("__MACOSX/"):
            continue
        if member.filename.casefold() in seen:
            raise MedflError(f"{archive}: {member.filename} stands in it twice.")
        seen.add(member.filename.casefold())
        members.append(member)
    _check_size(archive, members, max_bytes)
    return members


def _check_place(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/"))
    drive = len(name) > 1 and name[1] == ":"
    if parts.is_absolute() or drive or ".." in parts.parts or "\\" in name or not parts.parts:
        raise MedflError(
            f"{archive} is refused: its member `{name}` would be written outside the folder."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise MedflError(f"{archive} is refused: its member `{name}` is a link or a device.")
    if member.flag_bits & 1:
        raise MedflError(f"{archive}: {name} is encrypted; unpack it by hand with its password.")


def _check_size(archive: Path, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise MedflError(
            f"{archive} is refused: it would unpack to {total / 1e9:,.1f} GB, more than the limit "
            f"of {max_bytes / 1e9:,.1f} GB. If it is what you want, unpack it by hand."
        )
    for member in members:
        if member.file_size > max(_SMALL, MAX_RATIO * member.compress_size):
            ratio = member.file_size / max(1, member.compress_size)
            raise MedflError(
                f"{archive} is refused: `{member.filename}` would swell {ratio:,.0f}-fold, as no "
                "image does (a zip bomb?)."
            )


def _copy(archive: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo, output: IO[bytes]) -> None:
    """Write one member; zipfile reads no more than its stated size and checks its CRC."""
    try:
        source = file.open(member)
    except (*_DAMAGE, RuntimeError) as error:
        raise MedflError(
            f"{archive}: {member.filename} cannot be unpacked ({failure(error)})."
        ) from error
    with source:
        try:
            shutil.copyfileobj(source, output, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise MedflError(
                f"{archive}: {member.filename} is damaged, or not what the archive says of it "
                f"({failure(error)}): get this file again."
            ) from error
