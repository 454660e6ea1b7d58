"""A split: which client holds which sample, in which fold."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medfl.config import DEFAULTS, did_you_mean
from medfl.errors import MedflError, failure
from medfl.files import load_json, sha256_file, write_csv
from medfl.partition.asked import asked_folds
from medfl.partition.base import Request
from medfl.partition.clients import assign_clients
from medfl.partition.custom import SplitsItself, check_own
from medfl.partition.divided import Divided, check_patients, refuse_undecided, second_sites
from medfl.partition.folds import FOLDS, TEST, TRAIN, VAL, assign_folds
from medfl.partition.groups import Groups
from medfl.partition.place import partition_of, sidecar
from medfl.partition.rows import COLUMNS, rows_of
from medfl.partition.scheme import is_built_in, parse_partition

if TYPE_CHECKING:
    from medfl.store import Store


@dataclass(eq=False)
class Split:
    """Who holds what.

    Attributes:
        samples: (N,) sample ids, in the store's order.
        clients: (N,) int64 client of each sample, 0 to num_clients - 1; 0 where it is left out.
        folds: (N,) ``train``, ``val`` or ``test``; empty where the sample is left out.
        partition: the scheme's word.
        seed: the seed that it was drawn with.
        num_clients: M.
        moved: samples moved after dealing, so that every client has its minimum.
        client_names: (M,) sites behind the clients; empty where clients have no names.
        divided: how many patients it does not keep whole.
    """

    samples: np.ndarray
    clients: np.ndarray
    folds: np.ndarray
    partition: str
    seed: int
    num_clients: int
    moved: int = 0
    client_names: tuple[str, ...] = ()
    divided: Divided = field(default_factory=Divided)

    def indices(self, client: int, fold: str) -> np.ndarray:
        """Store rows of one client's fold, int64, ascending."""
        if not 0 <= client < self.num_clients:
            raise MedflError(f"client {client} is not one of 0 to {self.num_clients - 1}.")
        return self._rows[_fold(fold)][client]

    def pooled(self, fold: str) -> np.ndarray:
        """Store rows of one fold over all clients, int64, ascending."""
        return np.flatnonzero(self.folds == FOLDS[_fold(fold)])

    def merged(self) -> Split:
        """The same folds with all samples in the hands of one client, 0."""
        return replace(self, clients=np.zeros_like(self.clients), num_clients=1, client_names=())

    @property
    def left_out(self) -> int:
        """Samples of the store that take no part."""
        return int((self.folds == "").sum())

    def counts(self) -> np.ndarray:
        """(M, 3) samples of each client in train, val and test."""
        return np.array([[len(rows) for rows in fold] for fold in self._rows]).T

    @cached_property
    def unseen(self) -> tuple[int, ...]:
        """The clients who only have test samples: they take no part in training."""
        counts = self.counts()
        none = (counts[:, [TRAIN, VAL]] == 0).all(axis=1) & (counts[:, TEST] > 0)
        return tuple(np.flatnonzero(none).tolist())

    def below(self, fold: str, least: int) -> dict[int, int]:
        """Client → samples in a fold, of the clients with fewer than ``least``.

        Where some take no part in training, these alone are tested, and the others alone train.
        """
        sizes = self.counts()[:, _fold(fold)].tolist()
        asked = [
            client
            for client in range(self.num_clients)
            if not self.unseen or (client in self.unseen) == (fold == FOLDS[TEST])
        ]
        return {client: sizes[client] for client in asked if sizes[client] < least}

    @cached_property
    def _rows(self) -> list[list[np.ndarray]]:
        rows = []
        for name in FOLDS:
            inside = np.flatnonzero(self.folds == name)
            inside = inside[np.argsort(self.clients[inside], kind="stable")]
            ends = np.searchsorted(self.clients[inside], np.arange(1, self.num_clients))
            rows.append(np.split(inside, ends))
        return rows

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write ``sample,client,fold``, one row per sample, atomically."""
        rows = zip(self.samples.tolist(), self.clients.tolist(), self.folds.tolist(), strict=True)
        write_csv(path, COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows])

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        store: Store,
        allow_divided_patients: bool = False,
        *,
        usual: tuple[str, int] | None = None,
        allow_left_out: bool = False,
    ) -> Split:
        """Read a split and check it against the store it divides.

        Args:
            path: its table.
            store: what it divides.
            allow_divided_patients: take one that parts patients, and count them.
            usual: scheme and seed of a split of which neither the JSON file beside it nor its path
                (see ``medfl/partition/place.py``) says them.
            allow_left_out: whether samples that it does not name are left out.

        Raises:
            MedflError: where the file is missing or malformed, its samples are not the store's
                (naming the first that does not match), or a group (patient) lies in two folds or
                with two clients.
        """
        path = Path(path)
        refuse_undecided(store)
        clients, folds, words = rows_of(path, store, allow_left_out)
        divided = check_patients(str(path), store, clients, folds, allow_divided_patients)
        partition, seed, moved, names = _describe(path, usual)
        return cls(
            samples=np.asarray(store.ids),
            clients=clients,
            folds=folds,
            partition=parse_partition(partition).word,
            seed=seed,
            num_clients=int(clients.max()) + 1,
            moved=moved,
            client_names=words or names,
            divided=divided,
        )


def make_split(
    store: Store,
    partition: str,
    num_clients: int | None,
    seed: int,
    *,
    min_samples: int = DEFAULTS.split.min_samples,
    min_val: int = DEFAULTS.split.min_val,
    min_test: int = DEFAULTS.split.min_test,
    val_fraction: float = DEFAULTS.split.val_fraction,
    test_fraction: float = DEFAULTS.split.test_fraction,
    official_folds: bool = DEFAULTS.split.official_folds,
    test_seed: int | None = DEFAULTS.split.test_seed,
    allow_divided_patients: bool = DEFAULTS.split.allow_divided_patients,
    dataset: SplitsItself | None = None,
) -> Split:
    """Divide a store between clients and folds, by group, the same for the same arguments.

    Args:
        store: the prepared dataset.
        partition: the scheme's word, for example ``dirichlet-0.5``.
        num_clients: how many; for ``site`` None, or the number of sites; for ``site-dirichlet``
            None means two clients per site.
        seed: 0 or more.
        min_samples: training samples that every client must have.
        min_val: validation samples that every client gets where the patients allow it.
        min_test: the same of test samples.
        val_fraction: share of validation samples where no official folds are kept.
        test_fraction: share of test samples where no official folds are kept.
        official_folds: keep the folds that the dataset brings; else the seed decides them, so
            that several seeds test on different groups.
        test_seed: draws the test groups for all seeds, where no official folds are kept.
        allow_divided_patients: let a person's own class part patients, and count them.
        dataset: the dataset, which is asked first: a person's own class may make the split.

    Raises:
        MedflError: where the request cannot be met, with the reason.
    """
    chosen = parse_partition(partition)
    partition = chosen.word
    for name, given in (("seed", seed), ("test_seed", test_seed)):
        if given is not None and given < 0:
            raise MedflError(f"the {name} must be 0 or more, not {given}.")
    minima = {"min_samples": min_samples, "min_val": min_val, "min_test": min_test}
    for name, least in minima.items():
        if least < 1:
            raise MedflError(f"{name} must be 1 or more, not {least}.")
    refuse_undecided(store)
    own = dataset.create_federated_splits(store, num_clients, partition, seed) if dataset else None
    if own is not None and dataset is not None:
        clients, folds, divided = check_own(own, store, dataset.name, allow_divided_patients)
        return Split(
            samples=np.asarray(store.ids),
            clients=clients,
            folds=folds,
            partition=partition,
            seed=seed,
            num_clients=int(clients.max()) + 1,
            divided=divided,
        )
    groups = Groups.of(store)
    fold = assign_folds(
        store,
        groups,
        seed,
        val_fraction,
        test_fraction,
        official_folds=official_folds,
        test_seed=test_seed,
    )
    if num_clients is not None and num_clients > len(groups):  # before each of them takes memory
        raise MedflError(
            f"{num_clients} clients are more than the dataset has groups (patients): "
            f"{len(groups)}. A group is never divided: use fewer clients."
        )
    fold = asked_folds(chosen, Request(partition, store, groups, fold, num_clients, seed))
    dealt = assign_clients(store, groups, fold, chosen, num_clients, seed, **minima)
    return Split(
        samples=np.asarray(store.ids),
        clients=dealt.owner[groups.of_sample],
        folds=np.asarray(FOLDS)[fold][groups.of_sample],
        partition=partition,
        seed=seed,
        num_clients=dealt.num_clients,
        moved=dealt.moved,
        client_names=dealt.names,
        divided=second_sites(store, dealt.sites[groups.of_sample]) if chosen.by_site else Divided(),
    )


def _fold(name: str) -> int:
    if name not in FOLDS:
        raise MedflError(f"unknown fold `{name}`{did_you_mean(name, FOLDS)}")
    return FOLDS.index(name)


def _describe(path: Path, usual: tuple[str, int] | None) -> tuple[str, int, int, tuple[str, ...]]:
    """Scheme, seed, moved samples and names of clients of the split at ``path``."""
    try:
        record = load_json(sidecar(path))
        names = tuple(map(str, record.get("client_names", ())))
        moved = int(record.get("moved", 0))
        if record.get("split_sha256") not in (None, sha256_file(path)):
            names, moved = (), 0  # another table's clients
        return str(record["partition"]), int(record["seed"]), moved, names
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise MedflError(
            f"{sidecar(path)} is not a heterogeneity record ({failure(error)}): make the split "
            "again with `medfl split`."
        ) from error
    seed, word = re.fullmatch(r"seed([0-9]+)", path.stem), partition_of(path)
    if usual and not (seed and is_built_in(word)):
        return *usual, 0, ()
    if not seed:
        raise MedflError(
            f"{path}: neither {sidecar(path).name} nor the path (<partition>/seed<k>.csv) tells "
            "its partition and seed."
        )
    return word, int(seed[1]), 0, ()
