"""Evaluation: the model that an algorithm stands for, on validation and test, for every client.

It draws no random number from a training stream, so that evaluating more often changes no weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medfl.errors import MedflError
from medfl.federated.client import FederatedClient
from medfl.federated.data import FederatedData
from medfl.federated.prediction import predict
from medfl.federated.server import FederatedServer
from medfl.metrics import medical, quick
from medfl.models.flat import FlatModel
from medfl.results.predictions import EVERYONE, ModelPredictions

Measure = Callable[..., dict[str, Any]]
JUDGED_FOLDS = ("val", "test")


@dataclass
class Evaluation:
    """The metrics of a federation after some round.

    Attributes:
        pooled: fold → metrics over all clients' samples. Where each client has a model of its own
            for everyone's samples (``local``), these are the means over those models.
        clients: client → fold → metrics on its own samples, with the model that it would use.
        personal: test metrics of those same predictions, taken over all clients together.
        predictions: whose model (``EVERYONE``, or a client) → (n, K) float64 probabilities of the
            samples that it was judged on, sorted by client and fold.
    """

    pooled: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    personal: dict[str, Any] = field(default_factory=dict)
    predictions: dict[int, Tensor] = field(default_factory=dict, compare=False)


class Evaluator:
    """Evaluates the models that the algorithm stands for, on the samples of every client."""

    def __init__(
        self, server: FederatedServer, clients: Sequence[FederatedClient], data: FederatedData
    ) -> None:
        self.server, self.clients, self.data = server, clients, data
        self.rows_of = {
            client: {fold: data.indices(client, fold) for fold in JUDGED_FOLDS}
            for client in data.clients
        }
        self.labels = data.labels.cpu().numpy()
        if data.info.task == "multilabel":
            self.labels = self.labels.astype(np.int64)

    def evaluate(self) -> Evaluation:
        """Evaluate now, with the few metrics that a run looks at while it trains.

        This overwrites the model that clients train in, but not the server's vectors.
        """
        result = self._measure(self._predict(), quick.evaluate)
        result.clients = {
            client: {
                fold: self._metrics(said, [client], fold, quick.evaluate)
                for fold, said in folds.items()
            }
            for client, folds in self._own(result.predictions).items()
        }
        return result

    def in_full(self, evaluation: Evaluation) -> Evaluation:
        """Compute all metrics but each client's from the predictions of an ``evaluation``."""
        return self._measure(evaluation.predictions, medical.evaluate)

    def clients_in_full(self, evaluation: Evaluation) -> dict[int, dict[str, Any]]:
        """Client → the main metrics of its test samples, from an ``evaluation``'s predictions."""
        brief = partial(medical.evaluate, brief=True)
        return {
            client: self._metrics(folds["test"], [client], "test", brief)
            for client, folds in self._own(evaluation.predictions).items()
        }

    def _measure(self, predictions: dict[int, Tensor], measure: Measure) -> Evaluation:
        """Apply ``measure`` to the predictions on all clients' samples together."""
        result = Evaluation(predictions=predictions)
        if self.server.algorithm.evaluated == "local":
            everyone = [
                self._pool(self._by_client(said, list(self.rows_of)), measure)
                for said in predictions.values()
            ]
            result.pooled = {fold: _mean([e[fold] for e in everyone]) for fold in JUDGED_FOLDS}
            result.personal = self._pool(self._own(predictions), measure)["test"]
        else:
            result.pooled = self._pool(self._own(predictions), measure)
            result.personal = dict(result.pooled["test"])
        return result

    def _own(self, predictions: dict[int, Tensor]) -> dict[int, dict[str, Any]]:
        """Client → fold → predictions on its own samples by the model that it would use."""
        own: dict[int, dict[str, Any]] = {}
        for owner, said in predictions.items():
            by_client = self._by_client(said, self.judged_on(owner))
            own |= by_client if owner == EVERYONE else {owner: by_client[owner]}
        return own

    def judged_on(self, owner: int) -> list[int]:
        """The clients on whose samples the model of ``owner`` is judged."""
        personal = self.server.algorithm.evaluated == "personal"
        return [owner] if personal else list(self.rows_of)

    def _predict(self) -> dict[int, Tensor]:
        """Predict with every model that is to be judged, each in one pass over its samples."""
        server, model = self.server, self.server.model
        if server.algorithm.evaluated == "global":
            server.load(model, server.vector, server.buffers)
            return {EVERYONE: self._say(model, EVERYONE)}
        said = {}
        for client in self.clients:
            server.algorithm.personal_model(client, model)
            said[client.id] = self._say(model, client.id)
        return said

    def _say(self, model: FlatModel, owner: int) -> Tensor:
        rows = torch.cat(self._rows(self.judged_on(owner)))
        return torch.from_numpy(predict(model, self.data, rows, self.server))

    def _rows(self, clients: Sequence[int]) -> list[Tensor]:
        return [self.rows_of[client][fold] for client in clients for fold in JUDGED_FOLDS]

    def _by_client(self, said: Tensor, clients: Sequence[int]) -> dict[int, dict[str, Any]]:
        """One model's predictions as client → fold → (n, K)."""
        lengths = [len(part) for part in self._rows(clients)]
        pairs = iter(np.split(said.cpu().numpy(), np.cumsum(lengths)[:-1]))
        return {client: {fold: next(pairs) for fold in JUDGED_FOLDS} for client in clients}

    def samples(self) -> dict[str, Any]:
        """Describe the judged samples, each once, sorted by client and fold: column → (n,)."""
        rows = self._rows(list(self.rows_of))
        chosen = torch.cat(rows).cpu().numpy()
        lengths = [len(part) for part in rows]
        return {
            "fold": np.repeat([fold for _ in self.rows_of for fold in JUDGED_FOLDS], lengths),
            "sample": self.data.split.samples[chosen],
            "group": self.data.groups[chosen],
            "client": self.data.split.clients[chosen],
            "label": self.labels[chosen],
        }

    def blocks(
        self, moments: Mapping[str, Evaluation], holders: NDArray[np.int64]
    ) -> list[ModelPredictions]:
        """The predictions of each moment, as a predictions file holds them.

        Args:
            moments: name (``last``, ``best``) → the evaluation of that moment.
            holders: (n,) the client of each of ``samples``.
        """
        return [
            ModelPredictions(
                owner,
                moment,
                np.flatnonzero(np.isin(holders, self.judged_on(owner))),
                said.cpu().numpy(),
            )
            for moment, evaluation in moments.items()
            for owner, said in evaluation.predictions.items()
        ]

    def _pool(self, own: dict[int, dict[str, Any]], measure: Measure) -> dict[str, dict[str, Any]]:
        return {
            fold: self._metrics(
                np.concatenate([folds[fold] for folds in own.values()]), list(own), fold, measure
            )
            for fold in JUDGED_FOLDS
        }

    def _metrics(
        self, probabilities: Any, clients: list[int], fold: str, measure: Measure
    ) -> dict[str, Any]:
        rows = torch.cat([self.rows_of[client][fold] for client in clients]).cpu().numpy()
        info = self.data.info
        return measure(probabilities, self.labels[rows], info.classes, info.task)


def _mean(many: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each entry of metrics of one shape, over those in which it is defined."""
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
    for fold in JUDGED_FOLDS:
        if len(data.pooled(fold)) == 0:
            raise MedflError(f"the split has no {fold} samples: raise {fold}_fraction.")
    empty = [client for client in data.clients if len(data.indices(client, "train")) == 0]
    if empty:
        raise MedflError(f"clients {empty} of the split have no training samples.")
