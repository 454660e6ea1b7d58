"""From a dataset's files to its store, on all cores; an interrupted job goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from medfl.data.array_file import ArrayFile, images_in
from medfl.data.catalog.base import RawData
from medfl.data.exclusions import SHOWN, Exclusion, by_reason
from medfl.data.parallel import map_ordered
from medfl.data.progress import alone, files_of, parse, stamp_of
from medfl.data.source_size import COLUMN, source_size
from medfl.data.store import IMAGES, PREPARATION, DatasetInfo, Sample, Store
from medfl.data.writer import check, describe_store
from medfl.errors import MedflError
from medfl.files import atomic_path, cannot_write, sha256_file, write_json

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PLAN, DONE = "plan.json", "done.jsonl"
# Between two points to go on from: images, or seconds where one takes long (volumes).
SYNC_EVERY, SYNC_SECONDS = 256, 10.0


def build_store(
    path: str | os.PathLike[str],
    info: DatasetInfo,
    raw: RawData,
    key: str,
    strict: bool = True,
    whole: int = 0,
) -> Store:
    """Decode a dataset into its store on all cores; an interrupted call goes on where it stopped.

    What is done so far lies in ``.<name>.partial`` beside ``path`` until the store is complete.

    Args:
        path: the folder to make; an older store there is replaced when the new one is complete.
        info: the dataset.
        raw: its samples and how they are decoded.
        key: what else decides the pixels (size, settings, code): work under another key is not
            gone on with.
        strict: an image that cannot be decoded is an error; else it is left out and listed.
        whole: images of a published dataset; the title of a store of fewer says that it is a part.

    Returns:
        The store, with ``prepare.json`` beside its images.
    """
    path = Path(path)
    check(info, raw.samples, str(path))
    folder = path.parent / f".{path.name}.partial"
    started = time.monotonic()
    try:
        with alone(folder, path):
            build = _Build(folder, raw, _plan(raw, key))
            try:
                build.run(info.name, strict)
            except BaseException:
                if not build.worth_keeping:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            kept = build.samples()
            excluded = [*raw.excluded, *build.excluded]
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
                raise MedflError(_nothing_left(info, excluded))
            digest = hashlib.sha256(raw.fingerprint.encode())
            digest.update("".join(build.digests).encode())
            info = replace(info, source_fingerprint=digest.hexdigest())
            if len(kept) < whole:  # whoever sees the name sees that it is a part
                part = f"part: {len(kept):,} of {whole:,} images"
                info = replace(info, title=f"{info.title} ({part})")
            record = _record(info, raw, excluded, len(kept))
            record |= build.speed(time.monotonic() - started)
            with atomic_path(path) as target:
                target.mkdir()
                write_json(target / PREPARATION, record)
                describe_store(target, folder / IMAGES, info, kept)
                os.replace(folder / IMAGES, target / IMAGES)
            # The store is there: what cannot be removed (NFS keeps a lock's file) does no harm.
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, MedflError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cannot_write(path, cause) is None:
            raise
        if isinstance(error, MedflError) and cause.errno not in _FULL:
            raise  # an image that is not there, or a place that was explained already
        kept_in = "Nothing of it was kept; run the same command again."
        if folder.exists():
            kept_in = f"What is done is kept in {folder}; the same command goes on there."
        raise MedflError(
            f"cannot write {path}: {cause.strerror}. Free some space or choose another place "
            f"(--work-root, --output-dir). {kept_in}"
        ) from error
    return Store.open(path)


class _Build:
    """The images of a dataset, decoded in order; what is done is noted every few hundred."""

    def __init__(self, folder: Path, raw: RawData, plan: str) -> None:
        self.folder, self.raw = folder, raw
        self.kept: list[int] = []
        self.digests: list[str] = []
        self.sizes: list[str] = []  # of those kept, in their files
        self.excluded: list[Exclusion] = []
        self.decoded, self.files_decoded = 0, 0
        self._head: dict[str, Any] = {"plan": plan, "shape": None, "dtype": None}
        self._started = time.monotonic()
        self._resume()
        self._resumed = bool(self.kept)

    @property
    def worth_keeping(self) -> bool:
        """Whether an interrupted call leaves work that another one should go on with."""
        took = time.monotonic() - self._started
        enough = len(self.digests) >= SYNC_EVERY or took >= SYNC_SECONDS or self._resumed
        return bool(self.kept) and enough

    def run(self, description: str, strict: bool) -> None:
        """Decode what is left, in order; the first error ends it where ``strict``."""
        first = len(self.digests)
        if first:
            print(f"{description}: going on after {first:,} images.", file=sys.stderr)
        rows = range(first, len(self.raw.sources))
        with (
            (self.folder / IMAGES).open("r+b") as pixels,
            (self.folder / DONE).open("a") as done,
            closing(map_ordered(self._read, rows, description, first=first)) as results,
        ):
            array = ArrayFile(pixels)
            if self.kept:
                array.resume(len(self.kept), self._head["shape"], self._head["dtype"])
            lines: list[str] = []
            noted = time.monotonic()
            try:
                for result in results:
                    lines.append(self._append(array, *result, strict))
                    if len(lines) >= SYNC_EVERY or time.monotonic() - noted >= SYNC_SECONDS:
                        self._note(done, pixels, array, lines)
                        noted = time.monotonic()
            finally:
                self._note(done, pixels, array, lines)
            array.finish()

    def _append(
        self,
        array: ArrayFile,
        digest: str,
        stamp: list[int],
        image: np.ndarray | None,
        size: str,
        error: MedflError | None,
        strict: bool,
    ) -> str:
        """Take one result, in order; the line that notes it."""
        row, reason = len(self.digests), None
        if image is not None:
            try:
                array.append(image)
            except ValueError as odd:
                error, image = MedflError(f"{self.raw.name(row)} {odd}."), None
                reason = str(odd)
        if image is None:
            if strict and error is not None:
                raise error
            reason = reason or self._reason(row, error)
        self._take(row, digest, reason, size)
        self.decoded += 1
        self.files_decoded += sum(1 for _ in files_of(self.raw.sources[row]))
        return json.dumps([digest, stamp, reason, size]) + "\n"

    def samples(self) -> list[Sample]:
        """Those that were kept, with what their files say of their size."""
        samples = [self.raw.samples[row] for row in self.kept]
        if not any(self.sizes):
            return samples
        return [
            replace(sample, attributes={**sample.attributes, COLUMN: size})
            for sample, size in zip(samples, self.sizes, strict=True)
        ]

    def speed(self, seconds: float) -> dict[str, Any]:
        """How fast images (and, of volumes of many files, the files) were decoded."""
        images, files = (
            round(count / seconds, 1) if seconds > 0 else None
            for count in (self.decoded, self.files_decoded)
        )
        found = {"seconds": round(seconds, 1), "images_per_second": images}
        return found | ({"files_per_second": files} if self.files_decoded else {})

    def _read(self, row: int) -> tuple[str, list[int], np.ndarray | None, str, MedflError | None]:
        source = self.raw.sources[row]
        digest, stamp = "", stamp_of(source)
        try:
            for file in files_of(source):
                if not stat.S_ISREG(file.stat().st_mode):  # to read a pipe would be to wait forever
                    raise MedflError(f"{file} is no ordinary file: put the image itself there.")
                digest += sha256_file(file)  # from the disk; decoding then reads the cache
            image = self.raw.decode(source)
            size = self.raw.sizes.get(row)
            return digest, stamp, image, source_size(source) if size is None else size, None
        except MedflError as error:
            return digest, stamp, None, "", error
        except OSError as error:
            what = error.strerror or str(error) or type(error).__name__
            name = error.filename or self.raw.name(row)
            mend = "get this file again"
            if isinstance(error, PermissionError):
                mend = "give yourself the right to read it (chmod u+r)"
            return (
                digest,
                stamp,
                None,
                "",
                MedflError(f"{name} cannot be read ({what}): {mend}."),
            )

    def _reason(self, row: int, error: MedflError | None) -> str:
        """Why, without the names of folders and files: they can hold those of people."""
        reason = str(error)
        for file in files_of(self.raw.sources[row]):
            reason = reason.replace(str(file), "the file")
            if file.parent != Path():
                reason = reason.replace(str(file.parent), "its folder")
        return reason.rstrip(".")

    def _take(self, row: int, digest: str, reason: str | None, size: str) -> None:
        self.digests.append(digest)
        if reason is None:
            self.kept.append(row)
            self.sizes.append(size)
        else:
            self.excluded.append(Exclusion(self.raw.name(row), reason))

    def _note(self, done: IO[str], pixels: IO[bytes], array: ArrayFile, lines: list[str]) -> None:
        """Pixels reach the disk before the lines that vouch for them; ``lines`` is emptied."""
        pixels.flush()
        os.fsync(pixels.fileno())
        if array.shape and not self._head["shape"]:
            self._head |= {"shape": list(array.shape), "dtype": str(array.dtype)}
            write_json(self.folder / PLAN, self._head)
        done.writelines(lines)
        done.flush()
        lines.clear()

    def _resume(self) -> None:
        """Take over what an interrupted call of the same plan left, as far as it is sound."""
        sources, lines = self.raw.sources, []
        try:
            head = json.loads((self.folder / PLAN).read_text())
            there = images_in(self.folder / IMAGES, head["shape"], head["dtype"])
            if head["plan"] == self._head["plan"]:
                lines = (self.folder / DONE).read_text().splitlines()
        except (OSError, ValueError, KeyError, TypeError):
            lines = []
        sound = []
        for row, line in enumerate(lines[: len(sources)]):
            note = parse(line)
            # A line that is cut off, or a file that was replaced: from here on all is made again.
            if note is None or note[1] != stamp_of(sources[row]):
                break
            if note[2] is None and len(self.kept) == there:
                break
            self._take(row, note[0], note[2], note[3])
            sound.append(line + "\n")
        if self.kept:
            self._head = head
            (self.folder / DONE).write_text("".join(sound))
        else:
            self.digests, self.excluded, self.sizes = [], [], []
            (self.folder / DONE).write_text("")
            (self.folder / IMAGES).write_bytes(b"")


def _plan(raw: RawData, key: str) -> str:
    digest = hashlib.sha256(f"{key}\n{raw.fingerprint}\n".encode())
    for sample, source in zip(raw.samples, raw.sources, strict=True):
        digest.update(repr((sample, source)).encode())
    return digest.hexdigest()


def _record(
    info: DatasetInfo, raw: RawData, excluded: Sequence[Exclusion], kept: int
) -> dict[str, Any]:
    """``prepare.json``: every file that was found or expected is accounted for."""
    return {
        "dataset": info.name,
        "title": info.title,
        "found": len(raw.sources) + len(raw.excluded),
        "kept": kept,
        "excluded": len(excluded),
        "missing": raw.missing,
        "warnings": list(raw.warnings),
        **({"scan": dict(raw.scan)} if raw.scan else {}),
        "settings": dict(raw.settings),
        "excluded_by_reason": by_reason(excluded),
        "excluded_files": [one.record() for one in excluded],
    }


def _nothing_left(info: DatasetInfo, excluded: Sequence[Exclusion]) -> str:
    reasons = [f"{count:,} × {reason}" for reason, count in by_reason(excluded).items()]
    more = "; …" if len(reasons) > SHOWN else ""
    return (
        f"no image of {info.title} could be read: all {len(excluded):,} were left out "
        f"({'; '.join(reasons[:SHOWN])}{more}). Mend or replace these files and run it again."
    )
