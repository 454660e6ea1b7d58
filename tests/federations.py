"""Small federations in double precision, for tests of the engine and its algorithms."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from medfl.chain import public_pixels
from medfl.config import FederatedConfig
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.evaluation import Evaluation
from medfl.federated.root import with_root_set
from medfl.federated.workers.pool import THREADS
from medfl.metrics.inputs import BRIEF
from medfl.partition import Split
from medfl.store import DatasetInfo

# Every algorithm, with hyper-parameters that make its corrections felt in a few rounds.
ALGORITHMS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"mu": 0.5},
    "fednova": {"mu": 0.5},
    "scaffold": {},
    "scaffold-1": {"option": 1},
    "fedbn": {},
    "fedavgm": {},
    "fedadam": {},
    "fedyogi": {},
    "fedadagrad": {},
    "fedexp": {"epsilon": 1e-6},
    "qfedavg": {"q": 2.0},
    "feddgga": {"step_size": 0.9},
    "fedlws": {"beta": 3.0, "max_tau": 5.0},
    "feddyn": {"alpha": 0.1},
    "moon": {},
    "fedlc": {"tau": 0.5},
    "ditto": {},
    "finetune": {},
    "silobn": {},
    "fedper": {},
    "fedrep": {},
    "mrmtl": {"lam": 0.5},
    "apfl": {},
    "fedrod": {},
    "fedala": {"window": 2, "first_passes": 4, "share": 1.0},
    "local": {},
    "centralized": {},
}
# Those that treat the head of a network apart, so that it must have one.
HEADED = ("moon", "fedper", "fedrep", "fedrod")
# What differs at the clients alone.
AT_CLIENTS = ("silobn", "fedper", "fedrep", "mrmtl", "apfl", "fedrod", "fedala")
# Of suites about messages and processes these pass a part, as do those that send what FedAvg sends:
# another loss, and other steps of the server, of which FedAdam's passes them all.
BRIEFLY = (*AT_CLIENTS, "fedlc", "fedlws", "fedavgm", "fedyogi", "fedadagrad")


def small_store(n: int = 60, classes: int = 3, size: int = 6, seed: int = 0) -> Any:
    """Random images whose mean grey depends on their class."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=n)
    labels[:classes] = np.arange(classes)
    images = random.normal(60 + 50 * labels[:, None, None, None], 40, (n, 1, size, size))
    info = DatasetInfo(
        name="test",
        title="test",
        classes=tuple(f"class{k}" for k in range(classes)),
        task="multiclass",
        modality="DX",
        synthetic=True,
        citation="",
        licence="",
        mean=(0.45,),
        std=(0.25,),
    )
    store = SimpleNamespace(
        path="memory",
        info=info,
        images=images.clip(0, 255).astype(np.uint8),
        labels=labels.astype(np.int64),
        ids=np.array([f"s{i}" for i in range(n)]),
        groups=np.array([f"g{i}" for i in range(n)]),
        sites=np.array([""] * n),
        folds=np.array([""] * n),
    )
    store.fingerprint = lambda: "fingerprint"
    return type("S", (SimpleNamespace,), {"__len__": lambda self: n})(**vars(store))


def split_of(store: Any, sizes: list[int]) -> Split:
    """Client k holds ``sizes[k]`` training samples, in order; the rest is dealt to val and test."""
    n, clients = len(store), len(sizes)
    owner, folds = (
        np.arange(n) % clients,
        np.where(np.arange(n) % 4 < 2, "val", "test").astype("U5"),
    )
    start = 0
    for client, size in enumerate(sizes):
        owner[start : start + size], folds[start : start + size] = client, "train"
        start += size
    assert n - start >= 4 * clients, "leave samples to evaluate on"
    return Split(store.ids, owner.astype(np.int64), folds, "iid", 0, clients)


class Linear(nn.Sequential):
    """A linear classifier of pixels: its gradient can be written down."""

    def __init__(self, inputs: int = 36, classes: int = 3) -> None:
        super().__init__(nn.Flatten(), nn.Linear(inputs, classes))


class Parted(nn.Module):
    """A linear body and a linear head, whose gradients can be written down, too."""

    def __init__(self, inputs: int = 36, features: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(inputs, features))
        self.head = nn.Linear(features, classes)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.forward_features(images))


class Dropped(nn.Sequential):
    """A linear classifier behind dropout, which draws random numbers in training."""

    def __init__(self, inputs: int = 36, classes: int = 3) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(inputs, classes))


class Normed(nn.Module):
    """A small network with batch norm, and with the features that MOON reads."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(64, classes)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.forward_features(images))


class Grouped(Normed):
    """The same with group norm, under which no sample acts on another."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(classes)
        self.body[1] = nn.GroupNorm(2, 4)


def federation(
    algorithm: Any = "fedavg",
    params: dict[str, Any] | None = None,
    *,
    sizes: tuple[int, ...] = (8, 16, 12),
    model: type[nn.Module] = Linear,
    store: Any = None,
    reverse: bool = False,
    duplicate: bool = False,
    checkpoint_dir: Any = None,
    on_round: Callable[[dict[str, Any]], None] | None = None,
    cores: int | None = None,
    **settings: Any,
) -> FederatedTrainer:
    """A trainer in float64 on tiny data; ``settings`` are flat keys of the configuration.

    ``reverse`` hands the clients over in the opposite order; ``duplicate`` adds a copy of each.
    """
    store = store or small_store(sum(sizes) + 8 * len(sizes))
    split = split_of(store, list(sizes))
    if duplicate:
        store, split = doubled(store, split)
        sizes = sizes + sizes
    # With official folds the images are normalised by the round numbers above, whatever the sizes.
    store.folds = split.folds.copy()
    # Evaluated before and after training; most of a tiny federation's time is its metrics.
    usual = {"rounds": 3, "batch_size": 4, "learning_rate": 0.1, "evaluate_every": 100}
    usual["min_test_samples"] = 1  # all clients have few
    settings = {**usual, **settings}
    config = FederatedConfig(
        algorithm=algorithm, algorithm_params=params or {}, num_clients=len(sizes), **settings
    )
    split = with_root_set(split, store.groups, config)
    data = FederatedData(store, split, public_pixels=public_pixels(config.chain.links)).double()
    torch.manual_seed(0)
    server = FederatedServer(config, data, model=model().double())
    clients = [FederatedClient(client, data) for client in data.clients]
    return FederatedTrainer(
        config,
        server,
        clients[::-1] if reverse else clients,
        checkpoint_dir=checkpoint_dir,
        fingerprint="test",
        on_round=on_round,
        cores=cores,
    )


def doubled(store: Any, split: Split) -> tuple[Any, Split]:
    """Every sample and every client twice: client k + N holds what client k does."""
    twice = type(store)(**vars(store))
    for name in ("images", "labels", "groups", "sites", "folds"):
        setattr(twice, name, np.concatenate([getattr(store, name)] * 2))
    twice.ids = np.concatenate([store.ids, np.char.add(store.ids, "copy")])
    n = len(store)
    kind = type("Twice", (SimpleNamespace,), {"__len__": lambda self: 2 * n})
    clients = np.concatenate([split.clients, split.clients + split.num_clients])
    folds = np.concatenate([split.folds] * 2)
    store = kind(**vars(twice))
    return store, Split(store.ids, clients, folds, "iid", 0, 2 * split.num_clients)


def threads_left() -> int:
    """How many threads of clients there are, which should be none between two rounds."""
    return sum(thread.name == THREADS for thread in threading.enumerate())


def judge_nothing(trainer: FederatedTrainer) -> None:
    """Leave evaluation out, where it takes most of the time or the model is no classifier."""
    empty = {fold: dict.fromkeys(BRIEF) for fold in ("val", "test")}
    trainer.evaluator.evaluate = lambda everyone: Evaluation(pooled=empty)
    trainer.evaluator.test_accuracies = lambda evaluation: {}


def models(trainer: FederatedTrainer) -> list[torch.Tensor]:
    """Train; the server's parameters before the first round and after each one."""
    seen: list[torch.Tensor] = []
    trainer.on_round = lambda row: seen.append(trainer.server.vector.clone())
    trainer.train()
    # A run that stopped early would make every comparison of its rounds hold.
    assert trainer.status == "completed"
    assert len(seen) == trainer.config.federated_learning.rounds + 1
    return seen


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """History rows without the time they took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
