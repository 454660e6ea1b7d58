"""Federations for `medfl attack`: the engine's own, with an observer where the server stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medfl.algorithms.registry import ALGORITHMS
from medfl.config import ARMS_FILE, FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData, FederatedServer, FederatedTrainer
from medfl.federated.code import run_code
from medfl.federated.prediction import predict
from medfl.federated.refused import DivergedError
from medfl.grid import Cell, load_grid
from medfl.partition import Split
from medfl.privacy.attacks.kept import KeptParts
from medfl.privacy.attacks.likelihood import confidence
from medfl.privacy.attacks.observer import Observed, Observer
from medfl.privacy.attacks.open_entries import open_reader
from medfl.sources import source_sha
from medfl.store import Store

StoreRows = NDArray[np.int64]
PARTITION = "iid"
ATTACK_CODE = ("medfl.observed.attacked", "medfl.privacy.attacks")


def run_configs(
    dataset: str,
    arms: Sequence[str],
    protections: Mapping[str, Mapping[str, Any]],
    clients: int,
    seed: int,
    run: Mapping[str, Any],
) -> dict[str, FederatedConfig]:
    """The configuration of each arm's federation, checked.

    Args:
        dataset: its word.
        arms: names of ``protections`` or of the arms of ``params/algorithms.yaml``.
        protections: name → links of a chain with their parameters, under FedAvg.
        clients: of the federation.
        seed: of the federation.
        run: sections that are the same for all arms.

    Raises:
        MedflError: an arm is unknown, sends nothing, or its parts do not compose.
    """
    built_in = {
        name: {"algorithm": "fedavg", "chain": {"links": dict(links)}}
        for name, links in protections.items()
    }
    named = [arm for arm in arms if arm not in built_in]
    if named and not Path(ARMS_FILE).exists():
        raise MedflError(
            f"the attack: {', '.join(named)}: none of the built-in protections "
            f"({', '.join(built_in)}), and {ARMS_FILE}, which has all other arms, is not in this "
            "folder: start it where that file is."
        )
    grid = load_grid(
        {
            "datasets": [dataset],
            "partitions": [PARTITION],
            "arms": list(arms),
            "seeds": [seed],
            "num_clients": clients,
            "arms_file": ARMS_FILE if named else None,
            "arm_settings": built_in,
            "run": dict(run),
        },
        "the attack",
    )
    found = {cell.arm: grid.run_config(cell) for cell in grid.cells() if isinstance(cell, Cell)}
    for arm, config in found.items():
        if not ALGORITHMS.load(config.federated_learning.algorithm).communicates:
            raise MedflError(
                f"the attack: the arm {arm} exchanges nothing, so a server sees nothing: leave it "
                "out."
            )
    return found


@dataclass(frozen=True)
class Federation:
    """A federation that has run to its end.

    Attributes:
        server: with the last global model.
        data: whose images it trained on.
        seen: what its server received in the last round.
        refused: client → the rounds in which its update was not finite.
        epsilon: the privacy budget that its clients have spent, the largest; None without one.
    """

    server: FederatedServer
    data: FederatedData
    seen: Observed
    refused: Mapping[int, Sequence[int]]
    epsilon: float | None

    def inputs(self, rows: StoreRows) -> Tensor:
        """Normalised images (n, C, …) of store rows."""
        return self.data.inputs(torch.from_numpy(rows))


def kept_parts(
    folder: Path, config: FederatedConfig, store: Store, settings: Mapping[str, Any]
) -> KeptParts:
    """The parts of an attack in ``folder``, as far as nothing has changed that decides them."""
    return KeptParts(
        folder,
        {
            **settings,
            "config": config.model_dump(mode="json"),
            "store": store.fingerprint(),
            "code": [run_code(config).identity, source_sha(*ATTACK_CODE)],
        },
    )


def federate(
    store: Store, held: Sequence[StoreRows], config: FederatedConfig, seed: int
) -> Federation:
    """Train a federation in which client k holds the images ``held[k]``, and observe its server.

    Args:
        store: the dataset.
        held: store rows of each client's training images.
        config: the run.
        seed: of the federation, in place of the configuration's.

    Raises:
        MedflError: a run diverged, or no images are left that nobody trains on.
    """
    config = config.model_copy(update={"seed": seed})
    clients, folds = np.zeros(len(store), np.int64), np.full(len(store), "test", "U5")
    for client, rows in enumerate(held):
        clients[rows], folds[rows] = client, "train"
    rest = np.flatnonzero(folds == "test")
    if len(rest) < 2:
        raise MedflError(f"{store.path}: the clients hold all images; give them fewer.")
    # The trainer wants images to judge on. What it finds is not used, so a few will do.
    folds[rest[2:]], folds[rest[1]] = "", "val"
    split = Split(store.ids, clients, folds, PARTITION, seed, len(held))
    # The attacker knows how pixels are normalised, so that must tell nothing of the images.
    data = FederatedData(store, split, images="memory", public_pixels=True)
    server = FederatedServer(config, data)
    observer = Observer(open_reader(server, server.chain.links))
    server.chain.links.append(observer)
    every = [FederatedClient(client, data) for client in data.clients]
    trainer = FederatedTrainer(config, server, every)
    trainer.train()
    if trainer.status != "completed":
        raise MedflError(f"the federation of arm {config.arm} {trainer.status}: {trainer.reason}.")
    server.load_judged(server.model)  # what stays with clients has its first values again
    spent = trainer.history[-1].get("epsilon")
    return Federation(server, data, observer.seen, trainer.refused, spent)


def confidences(federation: Federation, rows: StoreRows, homes: StoreRows) -> tuple[Any, Any]:
    """What the last models say of images: log odds of the true class.

    Args:
        federation: that has run.
        rows: (n,), store rows.
        homes: (n,), the client who would hold each of them.

    Returns:
        (n,) of the global model, and (n,) of the model that each image's own client sent; None in
        place of the latter where the server could not read it.

    Raises:
        MedflError: an update was refused, so that the client's images are in no model; or what a
            model says is not finite.
    """
    server, data, seen = federation.server, federation.data, federation.seen
    for client, rounds in federation.refused.items():
        raise _diverged(server, f"the update of client {client} in round {rounds[0]} is not finite")
    try:
        return _confidences(server, data, seen, rows, homes)
    except DivergedError as problem:
        raise _diverged(server, str(problem)) from problem


def _diverged(server: FederatedServer, what: str) -> MedflError:
    return MedflError(
        f"arm {server.config.arm}: {what}, so it cannot be told from its models who was trained "
        "on. Lower --learning-rate, or choose another arm."
    )


def _confidences(
    server: FederatedServer,
    data: FederatedData,
    seen: Observed,
    rows: StoreRows,
    homes: StoreRows,
) -> tuple[Any, Any]:
    labels = data.labels[torch.from_numpy(rows)].numpy()
    server.load_judged(server.model)
    of_all = confidence(predict(server.model, data, torch.from_numpy(rows), server), labels)
    of_one = np.empty(len(rows))
    for client in np.unique(homes).tolist():
        if client not in seen.models:
            return of_all, None
        server.load(server.model, seen.models[client], seen.statistics[client])
        here = np.flatnonzero(homes == client)
        said = predict(server.model, data, torch.from_numpy(rows[here]), server)
        of_one[here] = confidence(said, labels[here])
    return of_all, of_one


def prepared(dataset: str, data_root: str | None, work_root: str | Path) -> Store:
    """The store of a dataset, made if it is missing; one that the attacks can use.

    Raises:
        MedflError: the attacks read images of one label each alone.
    """
    from medfl.datasets.prepare import prepare

    store = Store.open(prepare(dataset, data_root, work_root))
    flat = store.images.ndim == 4 and store.images.dtype == np.uint8
    if store.info.task != "multiclass" or not flat:
        raise MedflError(
            f"{dataset}: `medfl attack` takes flat images of 8 bits with one label each; choose "
            "such a dataset, as phantom is."
        )
    return store
