"""Lead from a pseudonym in an output back to the files, for the person at the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from medfl.config import WORK_ROOT
from medfl.config import data_root as chosen_data_root
from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.custom_entry import CustomEntry
from medfl.datasets.described.dataset import DescribedDataset
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.identity import Pseudonyms, find_original, load_key
from medfl.store.progress import files_of

_FILE = re.compile(r"f-[0-9a-f]{16}")
_ROW = re.compile(r"([ps])\d*-([0-9a-f]{16})")


def originals(
    dataset: str, name: str, data_root: str | None = None, work_root: str = WORK_ROOT
) -> list[Path]:
    """Find the files that outputs of a person's own dataset call ``name``.

    Args:
        dataset: its word, or the path of its description.
        name: what outputs call a file or folder (``f-…``, or a path with such parts), a sample
            (``s000012-…``) or a patient (``p000003-…``); the number may be left out.
        data_root: where raw data lies, as for ``prepare``.
        work_root: holds the key by which the names were made.

    Raises:
        MedflError: the dataset is one of the catalog, or nothing has the name.
    """
    entry = parse_dataset(dataset).dataset
    places = Places(chosen_data_root(data_root), Path(work_root))
    row = _ROW.fullmatch(name.strip())
    if not isinstance(entry, DescribedDataset | CustomEntry):
        raise MedflError(
            f"{entry.name} is a dataset of the catalog: it keeps its publisher's names, and none "
            "of them is hidden."
        )
    if row is not None:
        return _of_row(entry, places, *row.groups())
    if not any(_FILE.fullmatch(part) for part in name.strip().split("/")):
        raise MedflError(
            f"`{name}` is no hidden name: give one such as f-3f2a9c41d7b05e86 (or a path with such "
            "parts), s000012-3f2a9c41d7b05e86 or p000003-3f2a9c41d7b05e86, as outputs show it."
        )
    if not isinstance(entry, DescribedDataset):
        raise MedflError(
            f"{entry.name} is read by a class: only its samples and patients are named."
        )
    pseudonyms = Pseudonyms(load_key(places.work_root), entry.name)
    return [find_original(entry.folder(places), name.strip(), pseudonyms)]


def _of_row(entry: Dataset, places: Places, kind: str, digits: str) -> list[Path]:
    """Find the files of one sample, or of all samples of one patient."""
    raw = entry.read(places, entry.default_size)

    def is_meant(pseudonym: str) -> bool:
        found = _ROW.fullmatch(pseudonym)
        return found is not None and found.groups() == (kind, digits)

    def files() -> Iterator[Path]:
        for sample, source in zip(raw.samples, raw.sources, strict=True):
            if is_meant(sample.id if kind == "s" else sample.group):
                there = list(files_of(source))
                if not there:
                    raise MedflError(
                        f"this sample of {entry.name} is no file: its class makes it by itself."
                    )
                yield from there

    found = list(files())
    if not found:
        what = {"s": "sample", "p": "patient"}[kind]
        raise MedflError(
            f"{entry.name} has no {what} of this name: give the dataset of which the output was "
            "made, with its data as they were, and the key by which it was made (--work-root, "
            "MEDFL_KEY)."
        )
    return found
