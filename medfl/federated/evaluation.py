"""Evaluation: what an algorithm gives to each hospital's own patients, and to everyone's.

It draws no random number from a training stream, so that evaluating more often changes no weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medfl.errors import MedflError
from medfl.federated.client import FederatedClient
from medfl.federated.data import Change, FederatedData
from medfl.federated.judging import ClientsModel, ServersModel
from medfl.federated.prediction import logits, predict, prediction_batches, probabilities
from medfl.federated.server import FederatedServer
from medfl.federated.unseen import ANSWERS, AVERAGE, SERVER, load_average, unseen_by
from medfl.metrics import medical, quick
from medfl.metrics.interval import Proportion, scores
from medfl.metrics.primary import class_shares
from medfl.results.predictions import ALL

Measure = Callable[..., dict[str, Any]]
JUDGED_FOLDS = ("val", "test")


@dataclass
class Evaluation:
    """The metrics of a federation after some round.

    Attributes:
        pooled: fold → metrics over all clients' samples together, each judged by the model that
            its client would use (``FederatedAlgorithm.unseen`` says which one a hospital uses that
            took no part in training).
        everyone: test metrics of one model on all clients' samples. Where there is no such model,
            they are the means over the clients' models, each on all clients' samples. None where
            models are personal and this was not asked for, as it costs a pass for each client.
        clients: client → fold → metrics on its own samples, with the model that it would use.
        said: (S, K) float64 probabilities behind ``pooled`` and ``clients``, sorted by client and
            fold.
        said_of_all: whose model (``ALL``, or a client) → (T, K), those behind ``everyone``, sorted
            by client; empty where they are test rows of ``said``.
    """

    pooled: dict[str, dict[str, Any]]
    everyone: dict[str, Any] | None = None
    clients: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    said: Tensor = field(default_factory=lambda: torch.zeros(0, 0), compare=False)
    said_of_all: dict[int, Tensor] = field(default_factory=dict, compare=False)


class Evaluator:
    """Evaluates the models that the algorithm stands for, on the samples of every client."""

    def __init__(
        self, server: FederatedServer, clients: Sequence[FederatedClient], data: FederatedData
    ) -> None:
        self.server, self.clients, self.data = server, clients, data
        self.rows_of = {
            client: {fold: data.indices(client, fold) for fold in JUDGED_FOLDS}
            for client in sorted([*data.clients, *data.unseen])
        }
        self.labels = data.labels.cpu().numpy()
        self.patients = np.unique(np.asarray(data.groups), return_inverse=True)[1]
        if data.info.task == "multilabel":
            self.labels = self.labels.astype(np.int64)
        own = {client.id: torch.cat(self.rows(self.held_by(client.id))) for client in clients}
        self._tests = torch.cat([folds["test"] for folds in self.rows_of.values()])
        self._unseen = torch.cat([self._tests[:0], *self.rows(data.unseen)])
        self._of_clients = ClientsModel(server, data, clients, own)
        self._of_server = ServersModel(server, data)
        server.workers.add(self._of_clients)
        server.workers.add(self._of_server)

    def evaluate(self, everyone: bool = False) -> Evaluation:
        """Evaluate now, with the few metrics that a run looks at while it trains.

        This overwrites the model that clients train in, but not the server's vectors.

        Args:
            everyone: also judge personal models on everyone's test samples. Without it that is only
                done where it costs nothing, because all clients use the server's model.
        """
        result = self._measure(*self._predict(everyone), quick.evaluate_quickly)
        result.clients = {
            client: {
                fold: self._of_client(said, client, fold, quick.evaluate_quickly)
                for fold, said in folds.items()
            }
            for client, folds in self._by_client(result.said).items()
        }
        return result

    def test_accuracies(self, evaluation: Evaluation) -> dict[str, Proportion]:
        """Client, as a word → its accuracy on its test samples, and on how many.

        Where hospitals never seen are judged, clients without test samples are not spoken of.
        """
        return {
            str(client): self._share(folds["test"], client, "test")
            for client, folds in self._by_client(evaluation.said).items()
            if len(folds["test"]) or not self.data.unseen
        }

    def judged_by_links(self) -> dict[str, float | None]:
        """What links find in the answers of the server's model; empty where there is no model."""
        server = self.server
        if not (server.chain.judges and server.complete):
            return {}
        batches = prediction_batches(self.data, self._tests, server)

        def say(change: Change) -> NDArray[np.float64]:
            server.load_judged(server.model)
            return np.asarray(
                probabilities([logits(server.model, self.data, batches, server, change)], server)
            )

        return server.chain.judge(self.labels[self._tests.cpu().numpy()], say)

    def in_full(self, evaluation: Evaluation) -> Evaluation:
        """Compute all metrics but each client's from the predictions of an ``evaluation``."""
        return self._measure(evaluation.said, evaluation.said_of_all, medical.evaluate)

    def clients_in_full(self, evaluation: Evaluation) -> dict[int, dict[str, Any]]:
        """Client → the main metrics of its test samples, from an ``evaluation``'s predictions."""
        brief = partial(medical.evaluate, brief=True)
        return {
            client: self._of_client(folds["test"], client, "test", brief)
            for client, folds in self._by_client(evaluation.said).items()
        }

    def without_images(self) -> dict[str, dict[str, Any]]:
        """Test metrics of answers that look at no image: the shares of classes in training.

        Returns:
            ``everyone``: one answer for all test samples, the shares among all training samples.
            ``own``: for each client's test samples the shares among its own training samples, or
            among all for a client that has none.
        """
        info, split = self.data.info, self.data.split
        labels, classes = self.labels, len(info.classes)

        def shares(rows: NDArray[np.int64], count: int) -> NDArray[np.float64]:
            return np.tile(class_shares(labels[rows], classes, info.task), (count, 1))

        tests = {client: folds["test"] for client, folds in self.rows_of.items()}
        everyone = shares(split.pooled("train"), sum(map(len, tests.values())))
        known = {k: split.indices(k, "train") for k in tests}
        known |= dict.fromkeys(self.data.unseen, split.pooled("train"))
        own = [shares(known[k], len(rows)) for k, rows in tests.items()]
        said = {"everyone": everyone, "own": np.concatenate(own)}
        brief = partial(medical.evaluate, brief=True)
        return {word: self._metrics(p, list(tests), "test", brief) for word, p in said.items()}

    def _measure(self, said: Tensor, of_all: dict[int, Tensor], measure: Measure) -> Evaluation:
        """Apply ``measure`` to the predictions on all clients' samples together."""
        own, everybody = self._by_client(said), list(self.rows_of)
        pooled = {
            fold: self._metrics(
                np.concatenate([folds[fold] for folds in own.values()]), everybody, fold, measure
            )
            for fold in JUDGED_FOLDS
        }
        everyone = None
        if self.server.algorithm.evaluated == "global":
            everyone = dict(pooled["test"])
        elif of_all:
            models = (one.cpu().numpy() for one in of_all.values())
            everyone = _mean([self._metrics(p, everybody, "test", measure) for p in models])
        return Evaluation(pooled, everyone, said=said, said_of_all=of_all)

    def _predict(self, everyone: bool) -> tuple[Tensor, dict[int, Tensor]]:
        """Predict with every model that is to be judged: ``said`` and ``said_of_all``."""
        server, workers = self.server, self.server.workers
        if server.algorithm.evaluated == "global":
            return self._say_together(torch.cat(self.rows(list(self.rows_of)))), {}
        ids = [client.id for client in self.clients]
        lengths = [len(client.rows) for client in self.clients]
        asks_all = bool(self.data.unseen) and unseen_by(server) == ANSWERS
        self._of_clients.beside = self._unseen if asks_all else None
        if everyone and not server.complete:
            self._of_clients.beside = self._tests
        judged = list(workers.spread(self._of_clients, ids, lengths))
        beside = {whose: one[1] for whose, one in zip(ids, judged, strict=True)}
        of_all = {whose: said for whose, said in beside.items() if everyone and said is not None}
        if everyone and server.complete:
            of_all[ALL] = self._say_together(self._tests)
        own = torch.cat([said for said, _ in judged])
        answers = [said for said in beside.values() if said is not None]
        return self._with_unseen(own, answers), of_all

    def _with_unseen(self, own: Tensor, answers: Sequence[Tensor]) -> Tensor:
        """Put what is said of hospitals never seen in its place among what is said of clients.

        ``answers`` are those of each client's model, for all test samples or for theirs alone.
        """
        server, unseen = self.server, self.data.unseen
        if not unseen:
            return own
        how = unseen_by(server)
        if how == SERVER:
            said = self._say_together(self._unseen)
        elif how == AVERAGE:
            load_average(server, self.clients)
            said = torch.from_numpy(predict(server.model, self.data, self._unseen, server))
        else:
            theirs = torch.isin(self._tests, self._unseen).to(own.device)
            some = [one if len(one) == len(self._unseen) else one[theirs] for one in answers]
            said = torch.stack(some).mean(dim=0)
        parts: dict[int, Tensor] = {}
        clients = [client for client in self.rows_of if client not in unseen]
        for whose, found in ((clients, own), (unseen, said)):
            lengths = [sum(map(len, self.rows([client]))) for client in whose]
            parts |= dict(zip(whose, found.split(lengths), strict=True))
        return torch.cat([parts[client] for client in self.rows_of])

    def _say_together(self, rows: Tensor) -> Tensor:
        """What the server's model says, computed by all workers."""
        server, workers = self.server, self.server.workers
        batches = prediction_batches(self.data, rows, server)
        several = math.ceil(len(batches) / (1 if workers.number == 1 else 4 * workers.number))
        parts = [batches[k : k + several] for k in range(0, len(batches), max(1, several))]
        self._of_server.loaded = False
        found = list(workers.spread(self._of_server, parts, [len(part) for part in parts]))
        return torch.from_numpy(probabilities(found, server))

    def held_by(self, holder: int) -> list[int]:
        """The clients of the split whose samples a client holds: itself, or all where merged."""
        holders = self.server.data.holders
        return [client for client in self.rows_of if holders.get(client) == holder]

    def rows(self, clients: Sequence[int]) -> list[Tensor]:
        """Store rows of each client's judged folds, one after the other."""
        return [self.rows_of[client][fold] for client in clients for fold in JUDGED_FOLDS]

    def _by_client(self, said: Tensor) -> dict[int, dict[str, Any]]:
        """Predictions on all judged samples as client → fold → (n, K)."""
        lengths = [len(part) for part in self.rows(list(self.rows_of))]
        pairs = iter(np.split(said.cpu().numpy(), np.cumsum(lengths)[:-1]))
        return {client: {fold: next(pairs) for fold in JUDGED_FOLDS} for client in self.rows_of}

    def _share(self, said: Any, client: int, fold: str) -> Proportion:
        rows = self.rows_of[client][fold].cpu().numpy()
        return Proportion.of(
            scores(said, self.labels[rows], self.data.info.task), self.patients[rows]
        )

    def _of_client(self, said: Any, client: int, fold: str, measure: Measure) -> dict[str, Any]:
        """Metrics of one client's fold, its patients, and the interval of its accuracy."""
        share = self._share(said, client, fold)
        low, high = share.interval()
        luck = {"patients": share.patients, "accuracy_low": low, "accuracy_high": high}
        return self._metrics(said, [client], fold, measure) | luck

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
    """Refuse a split that leaves nothing to evaluate, or a client that only validates."""
    for fold in JUDGED_FOLDS:
        if len(data.pooled(fold)) == 0:
            raise MedflError(f"the split has no {fold} samples: raise {fold}_fraction.")
    empty = [client for client in data.clients if len(data.indices(client, "train")) == 0]
    if empty:
        raise MedflError(
            f"clients {empty} of the split have no training samples. Only a client all of whose "
            "samples are in the test fold may have none: it is a hospital never seen."
        )
