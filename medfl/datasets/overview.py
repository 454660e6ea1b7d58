"""`medfl datasets` lists every dataset, and what of it is on this disk."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from medfl.config import prepared_dir
from medfl.datasets.base import Dataset, Places
from medfl.datasets.described.custom_entry import CustomEntry
from medfl.datasets.described.dataset import DescribedDataset
from medfl.datasets.registry import get, names
from medfl.errors import MedflError, failure
from medfl.files import read_json, read_yaml
from medfl.store import DATASET, IMAGES, PREPARATION


@dataclass(frozen=True)
class Prepared:
    """One store of a dataset.

    Attributes:
        path: its folder.
        bytes: its size on disk.
        images: how many images it has; None where that is not known, as for ``classes``.
        classes: how many classes it has.
    """

    path: str
    bytes: int
    images: int | None
    classes: int | None


@dataclass(frozen=True)
class DatasetLine:
    """A line of the overview.

    Attributes:
        classes: how many; None where the data decide it and none are prepared.
        raw: ``absent``, ``partial``, ``complete``, ``generated`` (made when it is prepared),
            ``found`` (a person's own, of which nobody says how many there should be), ``unknown``
            (a person's own class looks for them), ``unlisted`` (a store whose description lies
            elsewhere), or ``unreadable`` for the reason in ``problem``.
        raw_images: images counted in the raw folder; an MedMNIST file counts as all it must hold.
    """

    name: str
    title: str
    task: str
    classes: int | None
    images: int | None
    sites: tuple[str, ...]
    licence: str
    disk: str
    raw: str
    raw_path: str | None
    raw_images: int
    prepared: tuple[Prepared, ...]
    problem: str = ""


def overview(places: Places) -> list[DatasetLine]:
    """Look for every dataset: files are counted, none is decoded."""
    stores = _stores(prepared_dir(places.work_root))
    listed = [_listed(name, places, stores) for name in names()]
    known = {store.path for entry in listed for store in entry.prepared}
    return [*listed, *(_unlisted(store) for store in stores if str(store) not in known)]


def _listed(name: str, places: Places, stores: Sequence[Path]) -> DatasetLine:
    """The line of a name; what is wrong with its description is a problem of that line alone."""
    try:
        return _entry(get(name), places, stores)
    except MedflError as error:
        return DatasetLine(
            name=name,
            title="-",
            task="-",
            classes=None,
            images=None,
            sites=(),
            licence="-",
            disk="",
            raw="unreadable",
            raw_path=None,
            raw_images=0,
            prepared=_prepared_of(name, stores),
            problem=str(error),
        )


def _unlisted(path: Path) -> DatasetLine:
    """The line of a person's own store, prepared from a description that is not where they lie."""
    prepared = _prepared(path)
    try:
        content = read_yaml(path / DATASET)
    except MedflError:
        content = None
    told = content if isinstance(content, dict) else {}
    return DatasetLine(
        name=path.name,
        title=str(told.get("title") or "-"),
        task=str(told.get("task") or "-"),
        classes=prepared.classes,
        images=prepared.images,
        sites=(),
        licence=str(told.get("licence") or "-"),
        disk="",
        raw="unlisted",
        raw_path=None,
        raw_images=0,
        prepared=(prepared,),
    )


def _entry(dataset: Dataset, places: Places, stores: Sequence[Path]) -> DatasetLine:
    problem = ""
    try:
        path, count = dataset.count(places)
    except (MedflError, OSError) as error:
        path, count = None, 0
        problem = str(error) if isinstance(error, MedflError) else failure(error)
    expected = dataset.source_images
    if problem:
        raw = "unreadable"
    elif dataset.synthetic:
        raw = "generated"
    elif isinstance(dataset, CustomEntry):
        raw = "unknown"
    elif path is None:
        raw = "absent"
    elif isinstance(dataset, DescribedDataset):
        raw = "found"
    else:
        raw = "partial" if expected and count < expected else "complete"
    prepared = _prepared_of(dataset.name, stores)
    told = [len(dataset.classes), *(store.classes for store in prepared)]
    return DatasetLine(
        name=dataset.name,
        title=dataset.title,
        task=dataset.task,
        classes=next(filter(None, told), None),
        images=expected,
        sites=dataset.sites,
        licence=dataset.licence,
        disk=dataset.disk,
        raw=raw,
        raw_path=str(path) if path else None,
        raw_images=count,
        prepared=prepared,
        problem=problem,
    )


def _stores(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if (path / DATASET).is_file())


def _prepared_of(name: str, stores: Sequence[Path]) -> tuple[Prepared, ...]:
    """The stores of a dataset, at whichever sizes."""
    word = re.compile(re.escape(name) + r"(-[0-9]+)?")
    return tuple(_prepared(store) for store in stores if word.fullmatch(store.name))


def _prepared(path: Path) -> Prepared:
    images = path / IMAGES
    size = images.stat().st_size if images.is_file() else 0
    kept = read_json(path / PREPARATION).get("kept")
    try:
        classes = len(read_yaml(path / DATASET)["classes"])
    except (MedflError, OSError, LookupError, TypeError):  # whoever opens the store says it
        classes = None
    return Prepared(str(path), size, kept, classes)


def as_json(entries: Sequence[DatasetLine]) -> str:
    """Write the overview for programs."""
    return json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False)


def as_table(entries: Sequence[DatasetLine], places: Places) -> str:
    """Write the overview for people: a line for each dataset."""
    header = ("name", "title", "task", "classes", "images", "sites", "on this disk", "licence")
    lines = [header, *(_line(entry) for entry in entries)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    problems = [f"{entry.name}: {entry.problem}" for entry in entries if entry.problem]
    looked = ", ".join(map(str, places.roots()))
    note = f"Raw data were looked for in {looked}; stores in {prepared_dir(places.work_root)}."
    return "\n".join([*text, "", note, *problems])


def _line(entry: DatasetLine) -> tuple[str, ...]:
    return (
        entry.name,
        entry.title,
        entry.task,
        str(entry.classes or "-"),
        f"{entry.images:,}" if entry.images else "-",
        str(len(entry.sites)) if entry.sites else "-",
        _state(entry),
        entry.licence if len(entry.licence) <= 40 else f"{entry.licence[:37].rstrip()}…",
    )


def _state(entry: DatasetLine) -> str:
    raw = entry.raw
    if raw == "partial":
        raw = f"partial, {entry.raw_images:,} of {entry.images or 0:,}"
    if raw == "found":
        raw = f"{entry.raw_images:,} files"
    if raw == "unlisted":
        raw = "described elsewhere"
    if raw == "absent" and entry.prepared:
        raw = "raw files absent"
    stores = [f"{Path(store.path).name} {_size(store.bytes)}" for store in entry.prepared]
    return f"{raw}; prepared: {', '.join(stores)}" if stores else raw


def _size(count: int) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count = round(count / 1000)
    return f"{count:,} GB"
