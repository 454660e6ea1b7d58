"""Evaluation: the model that an algorithm stands for, on validation and test, for every client.

Draws nothing from any training stream, so that evaluating more often changes no weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medfl.errors import MedflError
from medfl.federated.client import DivergedError, FederatedClient, autocast
from medfl.federated.data import FederatedData
from medfl.federated.patches import sliding_window
from medfl.federated.server import FederatedServer
from medfl.federated.vector import FlatModel
from medfl.metrics import medical

FOLDS = ("val", "test")
MOST_IMAGES = 256  # of one forward pass
MOST_PIXELS = 2**20  # that a network sees at once: 64 channels of them are 256 MiB
MOST_INPUT = 2**25  # pixels of whole images that patches are cut from: 128 MiB


def images_at_once(
    sides: Sequence[int], batch_size: int, patch: Sequence[int] | None = None
) -> int:
    """How many images of these sides go through the network together.

    Decided by the run alone, not by the memory that happens to be free, so that a run gives the
    same bits each time. A training batch is never too many for the network: its backward pass
    needs more memory.
    """
    pixels = math.prod(sides)
    network = max(batch_size, MOST_PIXELS // math.prod(patch or sides))
    return max(1, min(MOST_IMAGES, network, MOST_INPUT // pixels))


@torch.inference_mode()
def predict(model: FlatModel, data: FederatedData, rows: Tensor, server: FederatedServer) -> Any:
    """Class probabilities (n, K), float64, of these rows: softmax, or sigmoid for multi-label."""
    if len(rows) == 0:
        return np.zeros((0, len(data.info.classes)))
    model.module.eval()
    parts = []
    training = server.config.training
    batch = images_at_once(data.images.shape[2:], training.batch_size, server.patch)
    with autocast(training, data.device):
        for part in data.ahead(rows.split(batch)):
            images = data.inputs(part)
            if server.patch is None:
                parts.append(model.module(images))
            else:
                parts.append(sliding_window(model.module, images, server.patch))
    logits = torch.cat(parts).double()
    if not bool(torch.isfinite(logits).all()):
        raise DivergedError(f"round {server.round}: a model's predictions are not finite")
    multilabel = data.info.task == "multilabel"
    return (logits.sigmoid() if multilabel else logits.softmax(dim=1)).cpu().numpy()


@dataclass
class Evaluation:
    """Metrics of one moment.

    Attributes:
        pooled: fold → metrics over all clients' samples (for ``local``: the mean over clients
            of each one's model).
        clients: client → fold → metrics on its own samples, with the model that it would use.
        personal: metrics of those same predictions, all clients' test samples together.
    """

    pooled: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    personal: dict[str, Any] = field(default_factory=dict)


class Evaluator:
    """Knows which rows are whose, and evaluates what the algorithm says is to be evaluated."""

    def __init__(
        self, server: FederatedServer, clients: Sequence[FederatedClient], data: FederatedData
    ) -> None:
        self.server, self.clients, self.data = server, clients, data
        self.own = {
            client: {fold: data.indices(client, fold) for fold in FOLDS} for client in data.clients
        }
        self.labels = data.labels.cpu().numpy()
        if data.info.task == "multilabel":
            self.labels = self.labels.astype(np.int64)

    def evaluate(self, brief: bool = False) -> Evaluation:
        """Evaluate now. ``brief`` leaves out all but accuracy, AUC and log loss.

        The model that clients train in is overwritten; the server's vectors are not.
        """
        mode = self.server.algorithm.evaluated
        if mode == "global":
            self.server.load(self.server.model, self.server.vector, self.server.buffers)
            own = self._by_client(self.server.model)
            result = Evaluation()
            result.pooled = self._pool(own, brief)
        elif mode == "personal":
            own = {}
            for client in self.clients:
                self.server.algorithm.personal_model(client, self.server.model)
                own |= self._by_client(self.server.model, [client.id])
            result = Evaluation()
            result.pooled = self._pool(own, brief)
        else:
            own, everyone = {}, []
            for client in self.clients:
                self.server.algorithm.personal_model(client, self.server.model)
                all_of_it = self._by_client(self.server.model)
                everyone.append(self._pool(all_of_it, brief))
                own[client.id] = all_of_it[client.id]
            result = Evaluation()
            result.pooled = {fold: _mean([e[fold] for e in everyone]) for fold in FOLDS}
        result.personal = self._pool(own, brief)["test"]
        result.clients = {
            client: {fold: self._metrics(folds[fold], [client], fold, True) for fold in FOLDS}
            for client, folds in own.items()
        }
        return result

    def _by_client(
        self, model: FlatModel, only: Sequence[int] | None = None
    ) -> dict[int, dict[str, Any]]:
        """Predictions of one model: client → fold → (n, K), in one pass over all rows."""
        chosen = list(self.own) if only is None else list(only)
        rows = [self.own[client][fold] for client in chosen for fold in FOLDS]
        parts = np.split(
            predict(model, self.data, torch.cat(rows), self.server),
            np.cumsum([len(part) for part in rows])[:-1],
        )
        pairs = iter(parts)
        return {client: {fold: next(pairs) for fold in FOLDS} for client in chosen}

    def _pool(self, own: dict[int, dict[str, Any]], brief: bool) -> dict[str, dict[str, Any]]:
        return {
            fold: self._metrics(
                np.concatenate([folds[fold] for folds in own.values()]), list(own), fold, brief
            )
            for fold in FOLDS
        }

    def _metrics(self, probabilities: Any, clients: list[int], fold: str, brief: bool) -> Any:
        rows = torch.cat([self.own[client][fold] for client in clients]).cpu().numpy()
        info = self.data.info
        return medical.evaluate(
            probabilities, self.labels[rows], info.classes, info.task, brief=brief
        )


def _mean(many: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of equal-shaped metrics, entry by entry, over those where it is defined."""
    mean: dict[str, Any] = {}
    for key, first in many[0].items():
        values = [metrics[key] for metrics in many]
        if isinstance(first, dict):
            mean[key] = _mean(values)
        elif isinstance(first, list) and key == "confusion":
            mean[key] = np.mean(values, axis=0).tolist()
        elif isinstance(first, list):
            mean[key] = first
        else:
            defined = [value for value in values if value is not None]
            if len(set(defined)) <= 1:  # counts stay whole numbers
                mean[key] = defined[0] if defined else None
            else:
                mean[key] = sum(defined) / len(defined)
    return mean


def check_folds(data: FederatedData) -> None:
    """Refuse a split that leaves nothing to evaluate, or a client without training data."""
    for fold in FOLDS:
        if len(data.pooled(fold)) == 0:
            raise MedflError(f"the split has no {fold} samples: raise {fold}_fraction.")
    empty = [client for client in data.clients if len(data.indices(client, "train")) == 0]
    if empty:
        raise MedflError(f"clients {empty} of the split have no training samples.")
