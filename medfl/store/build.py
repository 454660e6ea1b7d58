"""Make a dataset's store of its files, on all cores; an interrupted job goes on."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medfl.errors import MedflError
from medfl.files import atomic_path, cannot_write, write_json
from medfl.files.exclusions import SHOWN, Exclusion, by_reason
from medfl.store.decoding import Decoding, plan_of
from medfl.store.equal_images import equal_images
from medfl.store.info import DatasetInfo
from medfl.store.progress import alone
from medfl.store.raw import RawData
from medfl.store.store import IMAGES, PREPARATION, Store
from medfl.store.writer import check, describe_store

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        whole: how many images the published dataset has; the title of a store of fewer says that
            it is a part.

    Returns:
        The store, with ``prepare.json`` beside its images.
    """
    path = Path(path)
    check(info, raw.samples, str(path))
    folder = path.parent / f".{path.name}.partial"
    started = time.monotonic()
    try:
        with alone(folder, path):
            build = Decoding(folder, raw, plan_of(raw, key))
            try:
                build.run(info.name, strict)
            except BaseException as stop:
                note = f"the same command goes on after {len(build.done):,} images"
                if not build.worth_keeping:
                    shutil.rmtree(folder, ignore_errors=True)
                    note = "the same command begins again"
                if isinstance(stop, KeyboardInterrupt):
                    stop.add_note(note)
                raise
            kept = build.samples()
            excluded = [*raw.excluded, *build.excluded]
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
                raise MedflError(_nothing_left(info, excluded))
            digest = hashlib.sha256(raw.fingerprint.encode())
            digest.update("".join(one.digest for one in build.done).encode())
            info = replace(info, source_fingerprint=digest.hexdigest())
            if len(kept) < whole:  # whoever sees the title shall see that it is a part
                part = f"part: {len(kept):,} of {whole:,} images"
                info = replace(info, title=f"{info.title} ({part})")
            record = _record(info, raw, excluded, build)
            if not whole:  # what published sets repeat, their readers say
                done = [build.done[row] for row in build.kept]
                files, pixels = [one.digest for one in done], [one.pixels for one in done]
                record["warnings"] += equal_images(kept, files, pixels)
            record |= build.speed(time.monotonic() - started)
            with atomic_path(path, durable=True) as target:
                target.mkdir()
                write_json(target / PREPARATION, record)
                describe_store(target, folder / IMAGES, info, kept)
                os.replace(folder / IMAGES, target / IMAGES)
                Store.open(target)  # what medfl would refuse never takes a sound store's place
            # The store is there: what cannot be removed (NFS keeps a lock's file) does no harm.
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, MedflError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or cannot_write(path, cause) is None:
            raise
        if isinstance(error, MedflError) and cause.errno not in _FULL:
            raise  # an image is not there, or the error about the place says all
        kept_in = "Nothing of it was kept; run the same command again."
        if folder.exists():
            kept_in = f"What is done is kept in {folder}; the same command goes on there."
        raise MedflError(
            f"cannot write {path}: {cause.strerror}. Free some space or choose another place "
            f"(--work-root, --output-dir). {kept_in}"
        ) from error
    return Store.open(path)


def _record(
    info: DatasetInfo, raw: RawData, excluded: Sequence[Exclusion], build: Decoding
) -> dict[str, Any]:
    """Make ``prepare.json``, which accounts for every file that was found or expected."""
    return {
        "dataset": info.name,
        "title": info.title,
        "found": len(raw.sources) + len(raw.excluded),
        "kept": len(build.kept),
        "excluded": len(excluded),
        "missing": raw.missing,
        "warnings": list(raw.warnings),
        **({"scan": dict(raw.scan)} if raw.scan else {}),
        "settings": dict(raw.settings),
        "excluded_by_reason": by_reason(excluded),
        "remarks": build.remarks,
        "excluded_files": [one.record() for one in excluded],
    }


def _nothing_left(info: DatasetInfo, excluded: Sequence[Exclusion]) -> str:
    reasons = [f"{count:,} × {reason}" for reason, count in by_reason(excluded).items()]
    more = "; …" if len(reasons) > SHOWN else ""
    return (
        f"no image of {info.title} could be read: all {len(excluded):,} were left out "
        f"({'; '.join(reasons[:SHOWN])}{more}). Mend or replace these files and run it again."
    )
