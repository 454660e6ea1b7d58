"""The datasets by name: those of the catalog, and those that people describe.

To add a published one: write a ``Dataset`` in a new file in ``catalog/`` and add it to
``published``. One's own data need no code: a YAML file describes them, and they are found by name
beside the catalog.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from medfl.config import did_you_mean
from medfl.datasets.base import Dataset
from medfl.datasets.catalog.braintumor import BRAINTUMOR
from medfl.datasets.catalog.chestxray14 import CHESTXRAY14
from medfl.datasets.catalog.covidct import COVIDCT
from medfl.datasets.catalog.ham10000 import HAM10000
from medfl.datasets.catalog.isic2019 import FED_ISIC2019, ISIC2019
from medfl.datasets.catalog.medmnist import family
from medfl.datasets.catalog.phantom import PHANTOM
from medfl.datasets.catalog.phantom3d import PHANTOM3D
from medfl.datasets.described.find import descriptions, find, is_path, read_description
from medfl.errors import MedflError
from medfl.files.tree import plain

MAX_SIZE = 2048


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset at a size; ``word`` names the store's folder: ``<name>`` or ``<name>-<size>``."""

    word: str
    dataset: Dataset
    size: int


@cache
def published() -> dict[str, Dataset]:
    """The catalog by name: what others have published, and the simulated sets."""
    simulated = (PHANTOM, PHANTOM3D)
    single = (HAM10000, ISIC2019, FED_ISIC2019, CHESTXRAY14, COVIDCT, BRAINTUMOR)
    return {entry.name: entry for entry in (*simulated, *single, *family())}


def names() -> list[str]:
    """All datasets that can be prepared: the catalog's, and those described in YAML files."""
    return [*published(), *(name for name in descriptions() if name not in published())]


def get(name: str) -> Dataset:
    """The entry of a name; an unknown one is a ``MedflError`` with the nearest known name.

    A description's path (``hospital.yaml``) names its dataset too.
    """
    if is_path(name):
        return read_description(name, published(), get)
    described = find(name, published(), get)
    if described is not None:
        return described
    if name not in published():
        raise MedflError(f"unknown dataset `{name}`{_instead(name)}")
    return published()[name]


def _instead(word: str) -> str:
    """The end of an error about an unknown name: what it is called here."""
    bare = re.sub(r"-[0-9]+$", "", word)
    for entry in published().values():
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
    size = int(match[2]) if match[2] else dataset.default_size
    if dataset.sizes is not None and size not in dataset.sizes:
        known = ", ".join(str(known) for known in dataset.sizes)
        raise MedflError(f"{word}: {dataset.title} is published at {known} pixels, not at {size}.")
    if not 8 <= size <= MAX_SIZE:
        raise MedflError(f"{word}: the size must be from 8 to {MAX_SIZE} pixels, not {size}.")
    return DatasetSpec(word, dataset, size)
