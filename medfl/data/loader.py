"""From a dataset's name to its store: preparing, opening, and handing on to the partition."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import data_root as resolve_data_root
from medfl.data.catalog import Places, parse_dataset
from medfl.data.store import Store, write_store

if TYPE_CHECKING:
    from medfl.partition import Split

PathLike = str | os.PathLike[str]


def store_path(dataset: str, work_root: PathLike = "data") -> Path:
    """Where the store of a dataset word lies: ``<work_root>/prepared/<word>``."""
    return Path(work_root, "prepared", parse_dataset(dataset).word)


def prepare(
    dataset: str,
    data_root: PathLike | None = None,
    work_root: PathLike = "data",
    force: bool = False,
) -> Path:
    """Make the store of a dataset from its published files, unless it is there already.

    Args:
        dataset: ``<name>`` or ``<name>-<size>``, for example ``ham10000-64``.
        data_root: where raw data lies; else ``MEDFL_DATA``, else ``data``. Never written to.
        work_root: what we write goes here (``prepared/``, generated and downloaded ``raw/``).
        force: make it again even where a sound one is there.

    Returns:
        The folder of the store.
    """
    spec = parse_dataset(dataset)
    path = store_path(dataset, work_root)
    if path.exists() and not force:
        return Store.open(path).path
    raw = spec.dataset.read(Places(resolve_data_root(data_root), Path(work_root)), spec.size)
    write_store(path, spec.dataset.info(raw), raw.samples, raw.images)
    return path


class MedicalDataLoader:
    """A dataset by name, for use from Python.

    Example:
        >>> loader = MedicalDataLoader("phantom")
        >>> store = loader.prepare()
        >>> split = loader.create_federated_splits(num_clients=10, partition="dirichlet-0.5")
    """

    def __init__(
        self,
        dataset: str = "phantom",
        data_root: PathLike | None = None,
        work_root: PathLike = "data",
    ) -> None:
        self.spec = parse_dataset(dataset)
        self.data_root = data_root
        self.work_root = Path(work_root)

    def prepare(self, force: bool = False) -> Store:
        """Open the store, made first if it is missing (or in any case, with ``force``)."""
        return Store.open(prepare(self.spec.word, self.data_root, self.work_root, force))

    def load(self) -> Store:
        """Open the store that ``prepare`` made; ``MedflError`` if there is none."""
        return Store.open(store_path(self.spec.word, self.work_root))

    def create_federated_splits(
        self,
        num_clients: int | None = 10,
        partition: str = "dirichlet-0.5",
        seed: int = 0,
        **options: Any,
    ) -> Split:
        """Divide the dataset between clients; prepared first if need be.

        Args:
            num_clients: how many; None for ``site``, where the data decide.
            partition: the scheme's word, for example ``iid`` or ``dirichlet-0.5``.
            seed: the same seed gives the same split.
            **options: ``min_samples``, ``val_fraction``, ``test_fraction`` of ``make_split``.
        """
        # The one import that runs upward: a convenience of this class for the quick start. It is
        # made when called, so that the data room stands without the partition room.
        from medfl.partition import make_split

        return make_split(self.prepare(), partition, num_clients, seed, **options)
