"""Splits that a dataset's own class makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from medfl.errors import MedflError, own_code
from medfl.partition.base import Block, Partition, Request
from medfl.partition.divided import Divided, check_patients
from medfl.partition.folds import FOLDS

if TYPE_CHECKING:
    from medfl.store import Store


class Custom(Partition):
    """What a dataset's own class decides (``create_federated_splits``), and nothing else."""

    title = "The dataset's own"
    natural = True

    def blocks(self, request: Request) -> list[Block]:
        """Refuse a dataset whose class makes no split."""
        raise MedflError(
            "partition `custom` is made by a dataset's own class (create_federated_splits of a "
            f"CustomMedicalDataset), and {request.store.info.name} has none: choose another, such "
            "as iid."
        )


class SplitsItself(Protocol):
    """A dataset that may make its own split."""

    @property
    def name(self) -> str:
        """The dataset's name."""

    def create_federated_splits(
        self, store: Store, num_clients: int | None, partition: str, seed: int
    ) -> Any:
        """Client and fold of each sample of the store; None to leave the split to medfl."""


def check_own(
    own: Any, store: Store, name: str, allow_divided: bool = False
) -> tuple[np.ndarray, np.ndarray, Divided]:
    """Check clients and folds as ``create_federated_splits`` gave them.

    Args:
        own: for each sample of the store its client, from 0, and its fold.
        store: the dataset.
        name: its name, for errors.
        allow_divided: whether a group (patient) may lie in two folds, or with two clients.

    Returns:
        (N,) int64 clients, (N,) folds, and how many groups are divided.

    Raises:
        MedflError: where they are of another form, a client holds nothing, a fold is empty, or a
            group (patient) is divided although that is not allowed.
    """
    where = f"{name}: create_federated_splits"
    with own_code(where):
        try:
            clients, folds = (np.asarray(part) for part in own)
            if clients.ndim != 1 or folds.ndim != 1:
                raise TypeError("no lists")
        except (TypeError, ValueError) as error:
            raise MedflError(
                f"{where} must return two lists: clients (from 0) and folds (train, val, test)."
            ) from error
    number = len(store.ids)
    if len(clients) != number or len(folds) != number:
        raise MedflError(
            f"{where} gave {len(clients)} clients and {len(folds)} folds for {number} samples."
        )
    if clients.dtype.kind not in "iu" or clients.min() < 0:
        raise MedflError(f"{where}: clients must be whole numbers from 0.")
    for fold in sorted(set(folds.tolist()) - set(FOLDS), key=str):
        raise MedflError(f"{where}: the fold `{fold}` is not train, val or test.")
    for fold in FOLDS:
        if not (folds == fold).any():
            raise MedflError(f"{where} puts no sample into the fold {fold}.")
    present = np.unique(clients)
    if len(present) != present[-1] + 1:
        gap = int((present != np.arange(len(present))).argmax())
        raise MedflError(f"{where} gives client {gap} no sample to train on.")
    for client in present.tolist():
        held = set(folds[clients == client].tolist())
        if "train" not in held and held != {"test"}:  # with tests alone it is a hospital never seen
            raise MedflError(f"{where} gives client {client} no sample to train on.")
    divided = check_patients(where, store, clients, folds, allow_divided)
    return clients.astype(np.int64), folds.astype("<U5"), divided
