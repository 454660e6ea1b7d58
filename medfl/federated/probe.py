"""How long a run takes on this machine, by short rounds on few samples; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from medfl.chain import public_pixels
from medfl.config import FederatedConfig
from medfl.federated.client import FederatedClient
from medfl.federated.data import FederatedData
from medfl.federated.device import choose_device
from medfl.federated.root import with_root_set
from medfl.federated.server import FederatedServer
from medfl.federated.trainer import FederatedTrainer
from medfl.partition import Split
from medfl.partition.folds import FOLDS
from medfl.store import Store

BATCHES = (1, 3)  # of each client: what a round costs beside its steps does not grow with them

Timed = Callable[[FederatedConfig, Store, Split], tuple[float, float]]


def probe(config: FederatedConfig, store: Store, split: Split, timed: Timed | None = None) -> float:
    """The seconds that a run takes, about.

    A round takes a + b · n for n training samples, of which two short rounds tell a and b; an
    evaluation takes as long as it has samples.

    Args:
        config: the run.
        store: its dataset.
        split: who holds what.
        timed: trains a short run, and gives the seconds of its last round and of an evaluation.

    Raises:
        MedflError: the run cannot be trained, or not on so few samples.
    """
    learning = config.federated_learning
    steps = learning.local_steps
    found = []
    for batches in BATCHES:
        few = few_of(split, batches * config.training.batch_size)
        work = {"local_steps": batches} if steps else {"local_epochs": 1}
        short = learning.model_copy(update={**work, "rounds": 2, "evaluate_every": 2})
        changed = config.model_copy(update={"federated_learning": short})
        train, evaluate = (timed or _timed)(changed, store, few)
        samples = int((few.folds == "train").sum())
        judged = int((few.folds != "").sum()) - samples
        found.append((batches if steps else samples, train, evaluate, judged))
    (one, first, *_), (three, third, evaluate, judged) = found
    each = max(0.0, third - first) / max(1, three - one)
    everything = int((split.folds == "train").sum())
    passes = learning.local_epochs or learning.default_epochs
    whole = steps if steps else passes * everything
    round_ = max(third, third + each * (whole - three))
    tested = int((split.folds != "").sum()) - everything
    evaluations = learning.rounds // learning.evaluate_every + 1
    return learning.rounds * round_ + evaluations * evaluate * tested / max(1, judged)


def few_of(split: Split, most: int) -> Split:
    """The same split with so many samples of each client's folds at most."""
    folds = split.folds.copy()
    for client in range(split.num_clients):
        for fold in FOLDS:
            folds[split.indices(client, fold)[most:]] = ""
    return replace(split, folds=folds)


def _timed(config: FederatedConfig, store: Store, split: Split) -> tuple[float, float]:
    """The seconds of the second of two rounds, and of an evaluation after it."""
    split = with_root_set(split, store.groups, config)
    device = choose_device(config.training.device)
    training, public = config.training, public_pixels(config.chain.links)
    data = FederatedData(store, split, device, training.images, training.memory_limit, public)
    ends: list[float] = []

    def note(row: dict[str, Any]) -> None:
        ends.append(time.monotonic())

    server = FederatedServer(config, data)
    clients = [FederatedClient(client, data) for client in data.clients]
    trainer = FederatedTrainer(config, server, clients, on_round=note, cores=1)
    trainer.train()
    began = time.monotonic()
    trainer.evaluator.evaluate(everyone=False)
    evaluate = time.monotonic() - began
    return max(0.0, ends[-1] - ends[-2] - evaluate), evaluate
