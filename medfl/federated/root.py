"""Samples of the server's own, which rules such as FLTrust train on: patients of the clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from medfl.chain import RULES, Message, Part
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.client import FederatedClient
from medfl.federated.data import ROOT
from medfl.partition import Split
from medfl.streams import torch_stream

if TYPE_CHECKING:
    from medfl.federated.server import FederatedServer

SERVER = -1
"""The id under which the server trains; clients are called by numbers from 0."""


def with_root_set(split: Split, groups: np.ndarray, config: FederatedConfig) -> Split:
    """The split whose rule has a root set: patients drawn from the training samples of all clients.

    They are in no fold of a client any more. Every client keeps a patient at least.

    Args:
        split: who holds what.
        groups: (N,), the patient of each sample.
        config: the run; its rule says how many patients it needs.

    Raises:
        MedflError: there are not so many.
    """
    wanted = RULES.create(config.chain.rule, config.chain.rule_params).root_patients
    if not wanted:
        return split
    train = split.folds == "train"
    owner = dict(zip(groups[train].tolist(), split.clients[train].tolist(), strict=True))
    patients = sorted(owner)
    order = torch.randperm(len(patients), generator=torch_stream(config.folds_seed, ROOT))
    left = {client: list(owner.values()).count(client) for client in set(owner.values())}
    chosen: list[str] = []
    for place in order.tolist():
        patient = patients[place]
        if len(chosen) < wanted and left[owner[patient]] > 1:
            left[owner[patient]] -= 1
            chosen.append(patient)
    if len(chosen) < wanted:
        raise MedflError(
            f"the rule {config.chain.rule} takes {wanted} patients of the training fold as its "
            f"root set, and only {len(chosen)} can be spared, as every client keeps one: set "
            "rule_params.root_patients to fewer."
        )
    folds = split.folds.copy()
    folds[train & np.isin(groups, chosen)] = ROOT
    return replace(split, folds=folds)


class RootClient(FederatedClient):
    """The server as it trains on its root set, by the steps of a client.

    Attributes:
        download: what the server sent in the round that is open; it is let go once trained from.
    """

    def __init__(self, server: FederatedServer) -> None:
        self.download: Mapping[str, Part] = {}
        super().__init__(SERVER, server.data, server.data.root)
        self.join(server)
        server.local_steps[SERVER] = server.steps_for(self.rows)

    @property
    def weight(self) -> float:
        """It has none: rules take its message by itself."""
        return 1.0

    def root_message(self) -> Message:
        """What it would send in the round that is open; the server is as before.

        Raises:
            MedflError: the algorithm keeps something with each client, which the server lacks.
        """
        message, _ = self.train(self.server.model, self.download)
        message = message.copy()
        self.download = {}
        self.leave()
        if self._kept:
            raise MedflError(
                f"{type(self.server.algorithm).__name__} keeps something with each client, so "
                f"{self.server.config.chain.rule} cannot compare a root set with them: take "
                "another rule or algorithm."
            )
        return message
