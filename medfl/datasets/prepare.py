"""Make the store of a dataset where it is missing or stale."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from medfl.config import WORK_ROOT
from medfl.config import data_root as chosen_data_root
from medfl.datasets.base import Places
from medfl.datasets.code import entry_sha
from medfl.datasets.described.custom import CustomMedicalDataset
from medfl.datasets.described.custom_entry import custom_entry
from medfl.datasets.edited import describes
from medfl.datasets.place import PathLike, place_of
from medfl.datasets.published import about_published
from medfl.datasets.registry import DatasetSpec, checked_size, names, parse_dataset
from medfl.errors import MedflError, unquoted
from medfl.files import load_json
from medfl.files.exclusions import Exclusion, in_one_line
from medfl.files.memory import naming_memory
from medfl.identity.file_names import HIDDEN_NAME
from medfl.store import DATASET, IMAGES, PREPARATION, Store
from medfl.store.build import build_store
from medfl.store.raw import RawData


def spec_of(dataset: str | CustomMedicalDataset, size: int | None = None) -> DatasetSpec:
    """Find the dataset of a word, or of a class of one's own, at the size asked for."""
    if isinstance(dataset, str):
        return parse_dataset(dataset if size is None else f"{dataset}-{size}")
    entry = custom_entry(dataset)
    if entry.name in names():
        raise MedflError(
            f"{type(dataset).__name__}: there is a dataset `{entry.name}` already: give the class "
            "another `name`."
        )
    word = entry.name if size is None else f"{entry.name}-{size}"
    pixels = entry.default_size if size is None else size
    return DatasetSpec(word, entry, checked_size(word, pixels))


def prepare(
    dataset: str | CustomMedicalDataset,
    data_root: PathLike | None = None,
    work_root: PathLike = WORK_ROOT,
    force: bool = False,
    allow_partial: bool = False,
    output_dir: PathLike | None = None,
    size: int | None = None,
) -> Path:
    """Make the store of a dataset from its published files, unless it is there already.

    Args:
        dataset: ``<name>`` or ``<name>-<size>``, for example ``ham10000-64``; a description of
            one's own data (``hospital.yaml``); or a class of one's own that reads them.
        data_root: where raw data lies; else ``MEDFL_DATA``, else ``data``. Never written to.
        work_root: what we write goes here (``prepared/``, generated and downloaded ``raw/``).
        force: make it again even where a sound one is there.
        allow_partial: take what is there of a dataset that is not all on this disk, leave out what
            cannot be decoded, and say how much that is.
        output_dir: the folder of the store, instead of its place under ``work_root``.
        size: side of the images in pixels, where the word does not say it.

    Returns:
        The folder of the store.
    """
    spec = spec_of(dataset, size)
    if output_dir is not None and not Path(output_dir).name:
        raise MedflError(
            f"--output-dir must name the store's folder, and `{output_dir}` names none."
        )
    path = Path(output_dir) if output_dir is not None else place_of(spec, work_root)
    places = Places(chosen_data_root(data_root), Path(work_root))
    if (path / DATASET).exists() and not force:
        if describes(path, spec.dataset, places):
            return Store.open(path).path
        print(f"{spec.word}: its description was edited; made again.", file=sys.stderr)
    if output_dir is not None and os.path.lexists(path) and not _is_store(path):
        raise MedflError(f"{path} is there and is no store: choose another --output-dir.")
    own = not spec.dataset.complete  # a person's own data, and not a published set
    with naming_memory(spec.word), unquoted(spec.word) if own else nullcontext():
        raw = spec.dataset.read(places, spec.size, allow_partial)
    if not own:
        raw = replace(raw, warnings=[*raw.warnings, *about_published(raw.samples)])
    # The hash keeps an interrupted job from going on with pixels that other code made.
    strict = spec.dataset.complete and not allow_partial
    whole = raw.missing + len(raw.samples) if spec.dataset.complete else 0
    with naming_memory(spec.word), unquoted(spec.word) if own else nullcontext():
        info = spec.dataset.info(raw)
        key = f"{spec.word} {entry_sha(spec.dataset, places)}"
        build_store(path, info, raw, key, strict, whole)
    elsewhere = "" if os.fspath(work_root) == WORK_ROOT else f" --work-root {os.fspath(work_root)}"
    _tell(raw, path, dataset if isinstance(dataset, str) else "", elsewhere)
    return path


def _is_store(path: Path) -> bool:
    return path.is_dir() and (not any(path.iterdir()) or (path / IMAGES).exists())


def _tell(raw: RawData, path: Path, dataset: str, elsewhere: str) -> None:
    """Say loudly what the store does not hold."""
    record = load_json(path / PREPARATION)
    lines = list(record["warnings"])
    if raw.missing:
        total = raw.missing + len(raw.samples)
        lines.append(f"PARTIAL: {raw.missing:,} of {total:,} images are missing on this disk")
    if record["excluded_files"]:
        excluded = [Exclusion.of_record(one) for one in record["excluded_files"]]
        lines.append(in_one_line(excluded, str(path / PREPARATION)))
        hidden = next((found for one in excluded if (found := HIDDEN_NAME.search(one.file))), None)
        if hidden and dataset:
            lines.append(
                "names that may name a person are hidden: `medfl original "
                f"{dataset} {hidden.group()}{elsewhere}` shows in a terminal which file that is"
            )
    if remarks := record["remarks"]:
        name, first = next(iter(remarks.items()))
        lines.append(
            f"{len(remarks):,} images were read with remarks ({name}: {'; '.join(first)}"
            f"{'; …' if len(remarks) > 1 else ''}), all listed in {path / PREPARATION}"
        )
    for line in lines:
        print(f"medfl: warning: {line}", file=sys.stderr)
