"""The rounds: who takes part, what it costs, when to evaluate, when to stop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from medfl import stopping
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.answers import Answers
from medfl.federated.client import FederatedClient
from medfl.federated.client_training import ClientTraining
from medfl.federated.device import repeat_bits
from medfl.federated.evaluation import Evaluation, Evaluator, check_folds
from medfl.federated.memory import LARGE, give_back_memory
from medfl.federated.provenance import begin_stretch
from medfl.federated.refused import DivergedError, report_refused
from medfl.federated.root import RootClient
from medfl.federated.rows import client_rows, empty_row, evaluated_row, trained_row
from medfl.federated.saving import Saving
from medfl.federated.server import FederatedServer
from medfl.federated.single_samples import check_single_samples
from medfl.federated.worker_count import count_workers
from medfl.federated.workers import own_objects
from medfl.metrics.federation import fairness
from medfl.metrics.primary import primary_metric
from medfl.results import columns
from medfl.results.column import Column
from medfl.streams import seed_process

log = logging.getLogger(__name__)


class FederatedTrainer:
    """Runs a federation to its end.

    Attributes:
        columns: the columns of ``rounds.csv``: every run's, then those that the algorithm and
            links add, and last ``refused`` where an update was not finite.
        client_columns: the columns of ``clients.csv``, likewise.
        history: one row per round, as in ``rounds.csv``.
        client_history: one row per client, fold and evaluated round, as in ``clients.csv``.
        status: ``running``, ``completed`` or ``diverged``.
        reason: why the run diverged, in words; empty if it did not.
        primary: the metric that chooses the best round.
        best: the round of the best primary metric on validation samples, and its evaluation.
        last: the last evaluated round, and its evaluation.
        best_score: the best primary metric on validation samples so far.
        seconds: how long the run has trained, those before a stop too.
        stretches: from which round on it was computed by which device, PyTorch and threads.
        saving: its checkpoints.
        unpublished: the clients, as words, of whose test samples no number is published.
        trained: the row of a round that is trained and not yet evaluated.
        own_code: whether classes of a person's own take part, which may draw from the generators
            of the whole process: each round begins these anew.
        fewer_workers: why fewer clients train side by side than was asked for, in words.
    """

    def __init__(
        self,
        config: FederatedConfig,
        server: FederatedServer,
        clients: Sequence[FederatedClient],
        *,
        checkpoint_dir: str | Path | None = None,
        fingerprint: str = "",
        unpublished: Collection[str] = (),
        on_round: Callable[[dict[str, Any]], None] | None = None,
        cores: int | None = None,
    ) -> None:
        """Check that all goes together; nothing is trained yet.

        Args:
            config: the run.
            server: its server.
            clients: a client for each of the split, in any order.
            checkpoint_dir: where checkpoints lie; None for a run without them.
            fingerprint: what a checkpoint must have to be this very run's.
            unpublished: see the attribute.
            on_round: is called with the row of each round.
            cores: how many processors the run may use; by default all that its process may.
        """
        if not clients:
            raise MedflError("a federation needs at least one client.")
        self.config, self.server = config, server
        self.data = clients[0].data
        check_folds(self.data)
        if len(clients) != len(self.data.clients):
            raise MedflError(
                f"{len(clients)} clients were given, but the split has {len(self.data.clients)}."
            )
        if len({client.id for client in clients}) < len(clients):
            raise MedflError("two of the clients have the same id: give each client once.")
        if server.data.clients != self.data.clients:  # one client holds all samples
            clients = [FederatedClient(client, server.data) for client in server.data.clients]
        # Clients are kept in the order of their ids: the order given changes no bit.
        self.clients = sorted(clients, key=lambda client: client.id)
        for client in self.clients:
            client.join(server)
        check_single_samples(server, self.clients)
        if len(server.data.root):
            server.root = RootClient(server)
        self.primary = primary_metric(config.primary, self.data.info.task)
        algorithm = server.algorithm
        own = (*algorithm.columns, *(columns.FORWARDS,) * bool(algorithm.loss_passes))
        self._columns = columns.table_columns(columns.ROUNDS, (*own, *server.chain.columns))
        of_clients = (*algorithm.client_columns, *server.chain.client_columns)
        self._client_columns = columns.table_columns(columns.CLIENTS, of_clients)
        server.workers.number, self.fewer_workers = count_workers(server, cores)
        server.workers.watched = lambda: own_objects(server.parts)
        self.training = ClientTraining(server, self.clients)
        server.workers.add(self.training)
        self.evaluator = Evaluator(server, self.clients, self.data)
        self.saving = Saving(self, Path(checkpoint_dir) if checkpoint_dir else None)
        server.states.folder = self.saving.folder
        self.own_code = False
        self.fingerprint, self.unpublished, self.on_round = fingerprint, unpublished, on_round
        self.history: list[dict[str, Any]] = []
        self.client_history: list[dict[str, Any]] = []
        self.status, self.reason = "running", ""
        self.best: tuple[int, Evaluation] | None = None
        self.last: tuple[int, Evaluation] | None = None
        self.best_score = -math.inf
        self.seconds = 0.0
        self.stretches: list[dict[str, Any]] = []
        self.trained: dict[str, Any] | None = None
        self._before = self._started = 0.0

    def train(self) -> list[dict[str, Any]]:
        """Train all rounds, from this run's checkpoint on if there is one.

        Returns:
            The history.
        """
        torch.set_num_threads(self.config.training.threads)
        repeat_bits()
        workers = self.server.workers.number
        if workers > 1:
            log.info("up to %d clients train side by side", workers)
        if self.fewer_workers:
            log.info("%s", self.fewer_workers)
        learning = self.config.federated_learning
        rounds, every = learning.rounds, learning.evaluate_every
        first = self.saving.resume()
        begin_stretch(self.stretches, self.server.round + 1, self.data.device, workers)
        self._started = time.monotonic()
        self._before = self.seconds
        with ExitStack() as after, self.saving.when_stopped():
            after.callback(self.server.chain.end)
            after.callback(self.server.workers.end)
            for number in range(first, rounds + 1):
                stopping.raise_if_stopped()
                try:
                    # The checkpoint may be of the time between a round's training and evaluation.
                    row = self.trained or (self._round(number) if number else empty_row(0))
                    self.seconds = row["seconds"] = self._elapsed()
                    if number % every == 0 or number == rounds:
                        row = row | self._evaluate(number, final=number == rounds)
                except DivergedError as error:
                    self.status, self.reason = "diverged", str(error)
                    log.warning("diverged: %s", error)
                    break
                with stopping.held():
                    self.history.append(row)
                    self.trained = None
                    self.saving.remember(number)
                if self.on_round:
                    self.on_round(row)
                self.saving.save_when_due()
            self.seconds = self._elapsed()
        if workers > 1:  # each has used a network of its own
            self.server.load_judged(self.server.model)
        if self.status == "running":
            self.status = "completed"
            if rounds and not any(row["participants"] for row in self.history):
                log.warning(
                    "no client answered in any round: the model is the one that the run began with"
                )
        return self.history

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of ``rounds.csv``."""
        return self._columns + self._last_columns

    @property
    def client_columns(self) -> tuple[Column, ...]:
        """The columns of ``clients.csv``."""
        return self._client_columns + self._last_columns

    @property
    def _last_columns(self) -> tuple[Column, ...]:
        promised = self.server.chain.privacy().get("unit")
        return (columns.PRIVACY_UNIT,) * bool(promised) + (columns.REFUSED,) * bool(self.refused)

    @property
    def refused(self) -> dict[int, list[int]]:
        """Client → the rounds in which its update was not finite, for those who had such rounds."""
        return {client.id: list(client.refused) for client in self.clients if client.refused}

    def evaluate_global_model(self) -> dict[str, Any]:
        """Test metrics of the models as they are now, each client's samples judged by its own."""
        return self.evaluator.in_full(self.evaluator.evaluate()).pooled["test"]

    def fairness(self, evaluation: Evaluation) -> dict[str, Any]:
        """How test accuracy is spread over the clients that have enough test samples."""
        enough = self.config.fairness
        accuracies = self.evaluator.test_accuracies(evaluation)
        least = (enough.min_test_samples, enough.min_test_patients)
        return fairness(accuracies, *least, self.unpublished)

    def steps_by_client(self) -> dict[int, int | None]:
        """Client of the split → the optimiser steps that were taken on its samples.

        They are None where a link keeps them from the server.
        """
        hidden = self.server.chain.hides_steps
        steps = {client.id: None if hidden else client.steps for client in self.clients}
        taken = {client: steps[holder] for client, holder in self.server.data.holders.items()}
        return taken | dict.fromkeys(self.data.unseen, None if hidden else 0)

    def _round(self, number: int) -> dict[str, Any]:
        """Run one round: the server sends, clients train and answer, the server takes its step."""
        server, chain = self.server, self.server.chain
        if self.own_code:
            seed_process(self.config.seed, number)
        download = server.open(number)
        by_id = {client.id: client for client in self.clients}
        taking_part = [self.clients[position].id for position in server.participants(number)]
        chosen = [by_id[client] for client in chain.open(number, taking_part)]
        self.training.download = download
        if server.root is not None:
            server.root.download = download
        answers = Answers(server, chosen, self.training)
        combination = chain.combination(number)
        try:
            for message in answers.messages():
                combination.add(message)
        finally:
            server.workers.rest()
        tally = answers.tally
        report_refused(number, tally.refused, chosen)
        if server.vector.nbytes > LARGE:
            give_back_memory()  # the step takes three more vectors
        with stopping.held():  # the server's state changes altogether, or not at all
            total = chain.close(number, combination.total(), tally.answered)
            if total:  # it is empty where nobody answered, or the round was given up
                server.step(total)
            answers.settle(total)
            self.training.download = {}  # the model that it holds has moved
            before = self.history[-1]["bytes_total"] if self.history else 0
            row = trained_row(server, download, len(chosen), tally, before, bool(total))
            self.trained, self.seconds = row, self._elapsed()
            self.saving.remember(number - 1)
        return row

    def _elapsed(self) -> float:
        """Seconds of training, those before a stop too."""
        return self._before + time.monotonic() - self._started

    def _evaluate(self, number: int, final: bool) -> dict[str, Any]:
        """Evaluate after a round; only after the last one for everyone, which may cost much."""
        give_back_memory()
        if self.own_code:
            seed_process(self.config.seed, number, "evaluated")
        result = self.evaluator.evaluate(everyone=final)
        give_back_memory()
        self.client_history += client_rows(self, number, result)
        self.last = (number, result)
        score = result.pooled["val"][self.primary]
        if score is not None and score > self.best_score:
            self.best_score, self.best = score, (number, result)
        return evaluated_row(result, self.fairness(result)) | self.evaluator.judged_by_links()
