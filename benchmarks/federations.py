"""Makes federations over random pixels: speed does not depend on what images show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medfl.config import FederatedConfig
from medfl.partition import Split
from medfl.store import DatasetInfo, Sample, Store, write_store

CLASSES = tuple(f"class-{k}" for k in range(7))


def random_store(folder: Path, samples: int, size: int = 28, channels: int = 3) -> Store:
    """A store of ``samples`` random images, every one a patient of its own."""
    generator = np.random.default_rng(0)
    info = DatasetInfo(
        name=folder.name,
        title="random pixels",
        classes=CLASSES,
        task="multiclass",
        modality="none",
        synthetic=True,
        citation="",
        licence="",
    )
    rows = [
        Sample(id=f"s{k:06d}", labels=(CLASSES[k % len(CLASSES)],), group=f"g{k:06d}")
        for k in range(samples)
    ]
    images = generator.integers(0, 256, (samples, channels, size, size), dtype=np.uint8)
    return write_store(folder, info, rows, images)


def equal_split(store: Store, clients: int, train: int) -> Split:
    """Deal ``train`` samples to each client for training; the rest are validation and test."""
    n = len(store)
    order = np.arange(n)
    folds = np.where(order < clients * train, "train", np.where(order % 2, "val", "test"))
    return Split(np.asarray(store.ids), order % clients, folds, "iid", 0, clients)


def unequal_split(store: Store, sizes: Sequence[int]) -> Split:
    """Deal ``sizes[k]`` samples to client k for training; the rest are validation and test."""
    n, clients = len(store), len(sizes)
    order = np.arange(n)
    owners, folds = order % clients, np.where(order % 2, "val", "test").astype("U5")
    owners[: sum(sizes)], folds[: sum(sizes)] = np.repeat(np.arange(clients), sizes), "train"
    return Split(np.asarray(store.ids), owners, folds, "iid", 0, clients)


def trainer(
    store: Store, split: Split, device: str = "cpu", cores: int | None = None, **settings: Any
) -> Any:
    """A federation that is ready for its first round; clients train one after the other."""
    from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer

    settings = {"workers": 1, **settings}
    config = FederatedConfig(dataset=store.info.name, device=device, **settings)
    training = config.training
    data = FederatedData(store, split, device, training.images, training.memory_limit)
    server = FederatedServer(config, data)
    clients = [FederatedClient(k, data) for k in data.clients]
    return FederatedTrainer(config, server, clients, cores=cores)
