"""The datasets by name: those of the catalog, and those that people describe or read themselves.

A published dataset is one file in ``catalog/`` and one line in ``DATASETS``. One's own data need no
code: a YAML file describes them, and they are found by name beside the catalog. What no description
fits is read by a class of one's own, ``my_package.module:MyDataset``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from medfl.config import did_you_mean
from medfl.datasets.base import Dataset
from medfl.datasets.described.listing import descriptions, is_path
from medfl.datasets.raw_folder import plain
from medfl.disclosure.published_sets import CATALOG
from medfl.errors import MedflError
from medfl.registry import Registry

MAX_SIZE = 2048
DATASETS: Registry[Dataset] = Registry(
    "dataset",
    package="medfl.datasets.catalog",
    names=CATALOG,
)
# A person's own class, and perhaps a size. In folders' names a dot stands for the colon.
_OWN = re.compile(r"([A-Za-z_][\w.]*)[:.]([A-Za-z_]\w*)")


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset at a size; ``word`` names the store's folder: ``<name>`` or ``<name>-<size>``."""

    word: str
    dataset: Dataset
    size: int


def names() -> list[str]:
    """All datasets that can be prepared: the catalog's, and those described in YAML files."""
    return [*DATASETS, *(name for name in descriptions() if name not in DATASETS)]


def get(name: str) -> Dataset:
    """The entry of a name; an unknown one is a ``MedflError`` with the nearest known name.

    A description's path (``hospital.yaml``) names its dataset too, and so does a class of one's own
    (``my_package.module:MyDataset``).
    """
    taken = DATASETS.available()
    paths = [] if is_path(name) else descriptions().get(name, [])
    if is_path(name) or paths:
        from medfl.datasets.described.find import described, read_description

        return described(name, paths, taken, get) if paths else read_description(name, taken, get)
    if name in DATASETS:
        return DATASETS.load(name)
    if own := _OWN.fullmatch(name):
        return _read_by(f"{own[1]}:{own[2]}")
    raise MedflError(f"unknown dataset `{name}`{_instead(name)}")


def _read_by(word: str) -> Dataset:
    """What a class of a person's own reads."""
    from medfl.datasets.described.custom import load_custom
    from medfl.datasets.described.custom_entry import custom_entry

    entry = custom_entry(load_custom(word))
    if entry.name in names():
        raise MedflError(
            f"`{word}`: there is a dataset `{entry.name}` already: give the class another `name`."
        )
    return entry


def _instead(word: str) -> str:
    """The end of an error about an unknown name: what it is called here."""
    bare = re.sub(r"-[0-9]+$", "", word)
    for entry in map(DATASETS.load, DATASETS):
        if {plain(word), plain(bare)} & {plain(name) for name in (entry.name, *entry.aliases)}:
            return f"; did you mean `{entry.name}`?"
    return did_you_mean(word, names())


def parse_dataset(word: str) -> DatasetSpec:
    """Read ``<name>`` or ``<name>-<size>``; the size is the side of the square image in pixels."""
    match = re.fullmatch(r"(.+?)(?:-(0|-?[1-9][0-9]*))?", word)
    if match is None:
        raise MedflError(f"unknown dataset `{word}`{_instead(word)}")
    dataset = get(match[1])
    if is_path(match[1]):
        word = dataset.name + (f"-{match[2]}" if match[2] else "")
    word = word.replace(":", ".")
    size = int(match[2]) if match[2] else dataset.default_size
    if dataset.sizes is not None and size not in dataset.sizes:
        known = ", ".join(str(known) for known in dataset.sizes)
        raise MedflError(f"{word}: {dataset.title} is published at {known} pixels, not at {size}.")
    return DatasetSpec(word, dataset, checked_size(word, size))


def checked_size(word: str, size: int) -> int:
    """A side in pixels (``MedflError`` where no image can have it)."""
    if not 8 <= size <= MAX_SIZE:
        raise MedflError(f"{word}: the size must be from 8 to {MAX_SIZE} pixels, not {size}.")
    return size
