"""Refuses what stands in a grid under two names: it would be trained and counted twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint
from medfl.partition import parse_partition

if TYPE_CHECKING:
    from medfl.grid import GridConfig


ONE_FOLDER = "differ in capitals alone, and are one folder on the disks of many computers"


def canonical_partitions(words: Iterable[str]) -> list[str]:
    """The partitions' words with their numbers written in one way.

    Raises:
        MedflError: two of them are one partition, or one is no partition.
    """
    parsed = {word: parse_partition(word).word for word in words}
    _refuse("partitions", "are one partition", parsed.items())
    return list(parsed.values())


def check_datasets(words: Iterable[str]) -> None:
    """Refuse a dataset that stands there with its default size and without a size (MedflError)."""
    specs = {word: parse_dataset(word) for word in words}
    sizes = [(word, (spec.dataset.name, spec.size)) for word, spec in specs.items()]
    _refuse("datasets", "are one dataset at one size", sizes)
    _refuse("datasets", ONE_FOLDER, [(word, word.casefold()) for word in specs])


def check_arms(grid: GridConfig) -> None:
    """Refuse two arms that have one folder, or the same settings everywhere (MedflError)."""
    _refuse("arms", ONE_FOLDER, [(name, name.casefold()) for name in grid.arms])
    settings: dict[str, list[str]] = {name: [] for name in grid.arms}
    for cell in grid.cells():
        if cell.seed == grid.seeds[0]:
            config = grid.run_config(cell).model_copy(update={"arm": ""})
            settings[cell.arm].append(fingerprint(config))
    same = [(name, tuple(found)) for name, found in settings.items()]
    _refuse("arms", "have the same algorithm and settings", same)


def _refuse(key: str, problem: str, pairs: Iterable[tuple[str, Hashable]]) -> None:
    seen: dict[Hashable, str] = {}
    for name, meaning in pairs:
        first = seen.setdefault(meaning, name)
        if first != name:
            raise MedflError(f"`{key}`: {first} and {name} {problem}: leave one of them out.")
