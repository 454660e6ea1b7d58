"""From a dataset's files to its store, on all cores; an interrupted job goes on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from medfl.data.array_file import ArrayFile
from medfl.data.catalog.base import RawData
from medfl.data.exclusions import Exclusion, by_reason, describe
from medfl.data.parallel import map_ordered
from medfl.data.store import IMAGES, PREPARATION, DatasetInfo, Store
from medfl.data.writer import check, describe_store
from medfl.errors import MedflError
from medfl.files import atomic_path, cannot_write, sha256_file, write_json

PLAN, DONE = "plan.json", "done.jsonl"
SYNC_EVERY = 256  # images between two points to go on from


def build_store(
    path: str | os.PathLike[str], info: DatasetInfo, raw: RawData, key: str, strict: bool = True
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

    Returns:
        The store, with ``prepare.json`` beside its images.
    """
    path = Path(path)
    check(info, raw.samples, str(path))
    folder = path.parent / f".{path.name}.partial"
    started = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            _alone(lock, path)
            build = _Build(folder, raw, _plan(raw, key))
            try:
                build.run(info.name, strict)
            except BaseException:
                if len(build.digests) < SYNC_EVERY:  # nothing that is worth going on with
                    shutil.rmtree(folder)
                raise
            kept = [raw.samples[row] for row in build.kept]
            excluded = [*raw.excluded, *build.excluded]
            if not kept:
                raise MedflError(
                    f"no image of {info.title} could be read: "
                    + describe(excluded, "prepare.json of a store that holds at least one")
                )
            digest = hashlib.sha256(raw.fingerprint.encode())
            digest.update("".join(build.digests).encode())
            info = replace(info, source_fingerprint=digest.hexdigest())
            record = _record(info, raw, excluded, len(kept))
            record |= build.speed(time.monotonic() - started)
            with atomic_path(path) as target:
                target.mkdir()
                write_json(target / PREPARATION, record)
                describe_store(target, folder / IMAGES, info, kept)
                os.replace(folder / IMAGES, target / IMAGES)
            shutil.rmtree(folder)
    except OSError as error:
        if cannot_write(path, error) is None:
            raise
        raise MedflError(
            f"cannot write {path}: {error.strerror}. Free some space or choose another place "
            f"(--work-root, --output-dir). What is done is kept in {folder}; the same command "
            "goes on there."
        ) from error
    return Store.open(path)


class _Build:
    """The images of a dataset, decoded in order; what is done is noted every few hundred."""

    def __init__(self, folder: Path, raw: RawData, plan: str) -> None:
        self.folder, self.raw = folder, raw
        self.kept: list[int] = []
        self.digests: list[str] = []
        self.excluded: list[Exclusion] = []
        self.decoded = 0
        self._head: dict[str, Any] = {"plan": plan, "shape": None, "dtype": None}
        self._resume()

    def run(self, description: str, strict: bool) -> None:
        first = len(self.digests)
        if first:
            print(f"{description}: going on after {first:,} images.", file=sys.stderr)
        rows = range(first, len(self.raw.sources))
        with (self.folder / IMAGES).open("r+b") as pixels, (self.folder / DONE).open("a") as done:
            array = ArrayFile(pixels)
            if self.kept:
                array.resume(len(self.kept), self._head["shape"], self._head["dtype"])
            results = map_ordered(self._read, rows, description, first=first)
            while chunk := list(islice(results, SYNC_EVERY)):
                lines: list[str] = []
                try:
                    for result in chunk:
                        lines.append(self._append(array, *result, strict))
                finally:
                    self._note(done, pixels, array, lines)
            array.finish()

    def _append(
        self,
        array: ArrayFile,
        digest: str,
        stamp: list[int],
        image: np.ndarray | None,
        error: MedflError | None,
        strict: bool,
    ) -> str:
        """Take one result, in order; the line that notes it."""
        row, reason = len(self.digests), None
        if image is not None:
            try:
                array.append(image)
            except ValueError as odd:
                error = MedflError(f"{self.raw.name(row)}: {odd}.")
                image = None
        if image is None:
            if strict and error is not None:
                raise error
            reason = self._reason(row, error)
        self._take(row, digest, reason)
        self.decoded += 1
        return json.dumps([digest, stamp, reason]) + "\n"

    def speed(self, seconds: float) -> dict[str, Any]:
        rate = round(self.decoded / seconds, 1) if seconds > 0 else None
        return {"seconds": round(seconds, 1), "images_per_second": rate}

    def _read(self, row: int) -> tuple[str, list[int], np.ndarray | None, MedflError | None]:
        source = self.raw.sources[row]
        digest, stamp = "", _stamp(source)
        try:
            for file in _files(source):
                digest += sha256_file(file)  # from the disk; decoding then reads the cache
            return digest, stamp, self.raw.decode(source), None
        except MedflError as error:
            return digest, stamp, None, error
        except OSError as error:
            what = error.strerror or type(error).__name__
            return digest, stamp, None, MedflError(f"{error.filename}: {what}.")

    def _reason(self, row: int, error: MedflError | None) -> str:
        reason = str(error)
        for file in _files(self.raw.sources[row]):
            reason = reason.replace(str(file), "the file")
        return reason.rstrip(".")

    def _take(self, row: int, digest: str, reason: str | None) -> None:
        self.digests.append(digest)
        if reason is None:
            self.kept.append(row)
        else:
            self.excluded.append(Exclusion(self.raw.name(row), reason))

    def _note(self, done: IO[str], pixels: IO[bytes], array: ArrayFile, lines: list[str]) -> None:
        """Pixels reach the disk before the lines that vouch for them."""
        pixels.flush()
        os.fsync(pixels.fileno())
        if array.shape and not self._head["shape"]:
            self._head |= {"shape": list(array.shape), "dtype": str(array.dtype)}
            write_json(self.folder / PLAN, self._head)
        done.writelines(lines)
        done.flush()

    def _resume(self) -> None:
        try:
            head = json.loads((self.folder / PLAN).read_text())
            lines = (self.folder / DONE).read_text().splitlines()
            same = head["plan"] == self._head["plan"] and head["shape"]
        except (OSError, ValueError, KeyError):
            same, lines = False, []
        kept_lines = []
        for row, line in enumerate(lines if same else []):
            try:
                digest, stamp, reason = json.loads(line)
            except ValueError:  # the last line, cut off
                break
            if row >= len(self.raw.sources) or stamp != _stamp(self.raw.sources[row]):
                break
            self._take(row, digest, reason)
            kept_lines.append(line + "\n")
        if self.kept:
            self._head = head
            (self.folder / DONE).write_text("".join(kept_lines))
        else:
            self.digests, self.excluded = [], []
            (self.folder / DONE).write_text("")
            (self.folder / IMAGES).write_bytes(b"")


def _files(source: Any) -> Iterator[Path]:
    if isinstance(source, Path):
        yield source
    elif isinstance(source, tuple | list):
        for part in source:
            yield from _files(part)


def _stamp(source: Any) -> list[int]:
    """Sizes and times of a source's files: whether they are what was decoded."""
    stamps = []
    for file in _files(source):
        try:
            stat = file.stat()
            stamps += [stat.st_size, stat.st_mtime_ns]
        except OSError:
            stamps += [-1, -1]
    return stamps


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
        "kept": kept,
        "excluded": len(excluded),
        "missing": raw.missing,
        "warnings": list(raw.warnings),
        "settings": dict(raw.settings),
        "excluded_by_reason": by_reason(excluded),
        "excluded_files": [asdict(one) for one in excluded],
    }


def _alone(lock: IO[str], path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MedflError(
            f"another process is preparing {path} just now: wait for it, or stop it first."
        ) from error
    except OSError:  # a file system without such locks
        pass
