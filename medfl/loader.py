"""``MedicalDataLoader`` gives a dataset's store and splits by its name, for use from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import DEFAULTS, WORK_ROOT
from medfl.datasets.place import PathLike, place_of
from medfl.datasets.prepare import prepare, spec_of
from medfl.partition import Split, make_split
from medfl.store import Store

if TYPE_CHECKING:
    from medfl.datasets.described.custom import CustomMedicalDataset


class MedicalDataLoader:
    """A dataset that is known by its name or read by a person's own class.

    Example:
        >>> loader = MedicalDataLoader("phantom")
        >>> store = loader.prepare()
        >>> split = loader.create_federated_splits(num_clients=10, partition="dirichlet-0.5")
    """

    def __init__(
        self,
        dataset: str | CustomMedicalDataset = DEFAULTS.dataset,
        data_root: PathLike | None = None,
        work_root: PathLike = WORK_ROOT,
        size: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.size = size
        self.spec = spec_of(dataset, size)
        self.data_root = data_root
        self.work_root = Path(work_root)

    def prepare(self, force: bool = False, allow_partial: bool = False) -> Store:
        """Open the store; it is made first if it is missing, with ``force`` in any case."""
        return Store.open(
            prepare(
                self.dataset,
                self.data_root,
                self.work_root,
                force,
                allow_partial,
                size=self.size,
            )
        )

    def load(self) -> Store:
        """Open the store that ``prepare`` made; ``MedflError`` if there is none."""
        return Store.open(place_of(self.spec, self.work_root))

    def create_federated_splits(
        self,
        num_clients: int | None = DEFAULTS.federated_learning.num_clients,
        partition: str = DEFAULTS.partition,
        seed: int = DEFAULTS.seed,
        **options: Any,
    ) -> Split:
        """Divide the dataset between clients; it is prepared first if need be.

        Args:
            num_clients: how many; None for ``site``, where the data decide.
            partition: the partition's word, for example ``iid`` or ``dirichlet-0.5``; ``custom``
                where the dataset's own class makes the split.
            seed: the same seed gives the same split.
            **options: ``min_samples``, ``val_fraction``, ``test_fraction``, ``official_folds``,
                ``test_seed`` of ``make_split``.
        """
        return make_split(
            self.prepare(), partition, num_clients, seed, dataset=self.spec.dataset, **options
        )
