"""Decode the images of a dataset on all cores, with notes from which a stopped job goes on."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from medfl.errors import FileError, MedflError
from medfl.files import load_json, sha256_file, write_json, write_text
from medfl.files.exclusions import Exclusion
from medfl.files.memory import end_without_memory
from medfl.files.parallel import map_ordered
from medfl.files.processes import lost_file, map_isolated
from medfl.files.regular import read_text
from medfl.imaging.remarks import collecting
from medfl.imaging.source_size import COLUMN, source_size
from medfl.store.array_file import ArrayFile, images_in
from medfl.store.equal_images import pixels_digest
from medfl.store.progress import Done, files_of, is_files, stamp_of
from medfl.store.raw import RawData
from medfl.store.store import IMAGES
from medfl.store.table import Sample

_Result = tuple[Done, np.ndarray | None, MedflError | None]

PLAN, DONE = "plan.json", "done.jsonl"
# So many images, or seconds where one image takes long (volumes), lie between two notes.
SYNC_EVERY, SYNC_SECONDS = 256, 10.0


class Decoding:
    """Decodes the images of a dataset in order; notes every few hundred what is done."""

    def __init__(self, folder: Path, raw: RawData, plan: str) -> None:
        self.folder, self.raw = folder, raw
        self.done: list[Done] = []
        self.decoded, self.files_decoded = 0, 0
        self._head: dict[str, Any] = {"plan": plan, "shape": None, "dtype": None}
        self._started = time.monotonic()
        self._resume()
        self._resumed = bool(self.done)

    @property
    def kept(self) -> list[int]:
        """The rows that have an image."""
        return [row for row, one in enumerate(self.done) if one.reason is None]

    @property
    def excluded(self) -> list[Exclusion]:
        """The rows that have none."""
        return [
            Exclusion(self.raw.name(row), one.reason)
            for row, one in enumerate(self.done)
            if one.reason is not None
        ]

    @property
    def remarks(self) -> dict[str, list[str]]:
        """What decoding noticed of images that were kept, by their names in outputs."""
        return {
            self.raw.name(row): self.done[row].remarks
            for row in self.kept
            if self.done[row].remarks
        }

    @property
    def worth_keeping(self) -> bool:
        """Whether an interrupted call leaves work that another one should go on with."""
        took = time.monotonic() - self._started
        enough = len(self.done) >= SYNC_EVERY or took >= SYNC_SECONDS or self._resumed
        return bool(self.kept) and enough

    def run(self, description: str, strict: bool) -> None:
        """Decode what is left, in order; the first error ends it where ``strict``."""
        first = len(self.done)
        if first:
            print(f"{description}: going on after {first:,} images.", file=sys.stderr)
        rows = range(first, len(self.raw.sources))
        with (
            (self.folder / IMAGES).open("r+b") as pixels,
            (self.folder / DONE).open("a") as done,
            closing(self._results(rows, description)) as results,
        ):
            array = ArrayFile(pixels)
            if kept := len(self.kept):
                array.resume(kept, self._head["shape"], self._head["dtype"])
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

    def _results(self, rows: range, description: str) -> Generator[_Result, None, None]:
        """What is read of each row, in order: files in processes, whose crash costs one of them."""
        if all(map(is_files, self.raw.sources)):
            return map_isolated(self._read, rows, description, self._lost, first=rows.start)
        return map_ordered(self._read, rows, description, first=rows.start)

    def _append(
        self,
        array: ArrayFile,
        done: Done,
        image: np.ndarray | None,
        error: MedflError | None,
        strict: bool,
    ) -> str:
        """Take one result, in order; give the line that notes it."""
        row, reason = len(self.done), None
        if image is not None:
            try:
                array.append(image)
            except ValueError as odd:
                error, image = MedflError(f"{self.raw.name(row)} {odd}."), None
                reason = str(odd)
        if image is None:
            if strict and error is not None:
                raise error
            done = replace(done, reason=reason or self._reason(row, error))
        self.done.append(done)
        self.decoded += 1
        self.files_decoded += done.files
        return done.line()

    def samples(self) -> list[Sample]:
        """The samples that were kept, with the size that their files state."""
        samples = [self.raw.samples[row] for row in self.kept]
        sizes = [self.done[row].size for row in self.kept]
        if not any(sizes):
            return samples
        return [
            replace(sample, attributes={**sample.attributes, COLUMN: size})
            for sample, size in zip(samples, sizes, strict=True)
        ]

    def speed(self, seconds: float) -> dict[str, Any]:
        """How fast images were decoded, and files, since a volume may have many."""
        images, files = (
            round(count / seconds, 1) if seconds > 0 else None
            for count in (self.decoded, self.files_decoded)
        )
        found = {"seconds": round(seconds, 1), "images_per_second": images}
        return found | ({"files_per_second": files} if self.files_decoded else {})

    def _read(self, row: int) -> _Result:
        source = self.raw.sources[row]
        digest, stamp = "", stamp_of(source)
        try:
            for file in files_of(source):
                if not stat.S_ISREG(file.stat().st_mode):  # to read a pipe would be to wait forever
                    raise FileError(file, "is no ordinary file: put the image itself there")
                digest += sha256_file(file)  # reads from the disk; decoding then from the cache
            with collecting() as remarks:
                image = _looked_at(self.raw.decode(source), self.raw.name(row))
            known = self.raw.sizes.get(row)
            size = source_size(source) if known is None else known
            # Slices of one volume say the same.
            said = list(dict.fromkeys(remarks))
            return Done(digest, stamp, None, size, said, pixels_digest(image)), image, None
        except MedflError as error:
            end_without_memory(error)
            return Done(digest, stamp), None, error
        except OSError as error:
            what = error.strerror or type(error).__name__
            name = error.filename or self.raw.name(row)
            mend = "get this file again"
            if isinstance(error, PermissionError):
                mend = "give yourself the right to read it (chmod u+r)"
            problem = FileError(name, f"cannot be read ({what}): {mend}")
            return Done(digest, stamp), None, problem
        except (Exception, SystemExit) as error:  # a decoder may raise anything
            end_without_memory(error)
            # Its words could quote the file.
            name = str(next(files_of(source), self.raw.name(row)))
            kind = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
            problem = FileError(name, f"cannot be decoded ({kind}): get this file again")
            return Done(digest, stamp), None, problem

    def _lost(self, row: int, why: str) -> _Result:
        """Say that the process which decoded a row has ended by it."""
        source = self.raw.sources[row]
        name = next(files_of(source), Path(self.raw.name(row)))
        error = lost_file(name, why)
        digest = "".join(map(sha256_file, files_of(source)))
        return Done(digest, stamp_of(source)), None, error

    def _reason(self, row: int, error: MedflError | None) -> str:
        """Why there is no image, without names of folders and files, which can name people."""
        files = list(files_of(self.raw.sources[row]))
        if isinstance(error, FileError):
            return f"{'the file' if len(files) < 2 else 'one of its files'} {error.reason}"
        reason = str(error)
        for file in files:
            reason = reason.replace(str(file), "the file")
        return reason.rstrip(".")

    def _note(self, done: IO[str], pixels: IO[bytes], array: ArrayFile, lines: list[str]) -> None:
        """Write pixels to the disk, then the lines that vouch for them; ``lines`` is emptied."""
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
            head = load_json(self.folder / PLAN)
            there = images_in(self.folder / IMAGES, head["shape"], head["dtype"])
            if head["plan"] == self._head["plan"]:
                lines = read_text(self.folder / DONE).splitlines()
        except (OSError, ValueError, KeyError, TypeError):
            lines = []
        images = 0
        for row, line in enumerate(lines[: len(sources)]):
            one = Done.parse(line)
            # A line is cut off, or a file was replaced: all is made again from here on.
            if one is None or one.stamp != stamp_of(sources[row]):
                break
            if one.reason is None:
                if images == there:
                    break
                images += 1
            self.done.append(one)
        if images:
            self._head = head
        else:
            self.done = []
            write_text(self.folder / IMAGES, "")
        # Whatever lies in their place is replaced: who opens a pipe to write may wait for ever.
        write_text(self.folder / DONE, "".join(one.line() for one in self.done))


def _looked_at(image: Any, name: str) -> np.ndarray:
    """Take what a decoder gave if it is pixels; ``ArrayFile`` asks if they are of one shape."""
    if not isinstance(image, np.ndarray):
        raise MedflError(f"{name} was decoded to {type(image).__name__}, and to no array.")
    if not image.size:
        raise MedflError(f"{name} was decoded to an array without pixels ({image.shape}).")
    return image


def plan_of(raw: RawData, key: str) -> str:
    """Hash all that decides the pixels, except the files themselves."""
    digest = hashlib.sha256(f"{key}\n{raw.fingerprint}\n".encode())
    for sample, source in zip(raw.samples, raw.sources, strict=True):
        digest.update(repr((sample, source)).encode())
    return digest.hexdigest()
