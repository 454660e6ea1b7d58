"""Hash the sources that a store comes from: its dataset's reader, and what builds stores."""

from __future__ import annotations

import hashlib
from pathlib import Path

from medfl.config import WORK_ROOT, data_root
from medfl.datasets.base import Dataset, Places
from medfl.datasets.registry import parse_dataset
from medfl.sources import NO_RESULT, file_of, sha

# No setting of a run reaches a store: a new key of the configuration makes none anew.
SKIPPED = NO_RESULT | {"medfl.config"}


def dataset_sha(dataset: str, places: Places | None = None) -> str:
    """Hash of what prepares a dataset (a spec word such as ``ham10000-64``).

    That is its sources and, of one's own data, its description, which may lie in ``places``.
    """
    places = places or Places(data_root(), Path(WORK_ROOT))
    return entry_sha(parse_dataset(dataset).dataset, places)


def entry_sha(entry: Dataset, places: Places) -> str:
    """Hash of what prepares a dataset, given itself."""
    kinds = [base for reader in entry.readers() for base in reader.__mro__]
    roots = [kind.__module__ for kind in kinds if kind.__module__.startswith("medfl.")]
    # `prepare` looks datasets up by name: its file counts, what the registry imports does not.
    code = sha([*roots, "medfl.store.build"], [file_of("medfl.datasets.prepare")], SKIPPED)
    description = entry.description_sha(places)
    if not description:
        return code
    return hashlib.sha256(f"{code}{description}".encode()).hexdigest()
