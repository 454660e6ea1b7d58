"""A client: its data, its state, and its local training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from medfl.algorithms import FederatedAlgorithm
from medfl.algorithms.objective import hook_word
from medfl.chain import (
    PARAMETERS,
    STATISTICS,
    Drawn,
    Message,
    NotFiniteError,
    Part,
    Work,
    all_finite,
)
from medfl.chain.roles import Beside, Correction, Loss
from medfl.config import Training
from medfl.errors import MedflError
from medfl.federated.balanced_loss import BalancedLoss
from medfl.federated.client_batches import batches_of
from medfl.federated.client_loss import mean_loss
from medfl.federated.client_state import ClientState, KeptTensor
from medfl.federated.data import FederatedData, batches, split_batches
from medfl.federated.local_step import backward_of, loss_of, stepper
from medfl.federated.own_algorithm import hooks_of
from medfl.federated.precision import autocast
from medfl.federated.server import FederatedServer
from medfl.federated.workers import in_worker
from medfl.models.flat import FlatModel, Gradient
from medfl.own_class import check_type
from medfl.streams import LayerStream, stream_seed, torch_stream


class FederatedClient:
    """One hospital: the data that it holds, and what it does in a round.

    Attributes:
        id: its number in the split.
        rows: (n,), store rows of its training data.
        groups: (n,), the number of each row's patient (or lesion) among this client's own.
        state: tensors that the algorithm keeps for this client alone (control variates,
            personal layers), in memory or on the disk; empty until needed. Hooks read it, and write
            with ``keep``.
        steps: optimiser steps so far, counted over the rounds in which the client answered.
        refused: the rounds in which what it would have sent was not finite.
        received: name → tensor, as the server sent them this round.
        drawn: the batch of which it computes the gradient, for links.
        start: (d,), the parameters with which this round's training began, local ones included.
        start_buffers: (b,), the statistics with which it began.
    """

    def __init__(self, client: int, data: FederatedData, rows: Tensor | None = None) -> None:
        """Take the training data of ``client``, or other store ``rows``."""
        self.id = client
        self.data = data
        self.rows = data.indices(client, "train") if rows is None else rows
        self.groups = data.group_numbers(self.rows)
        self.state = ClientState()
        self.steps = 0
        self.refused: tuple[int, ...] = ()
        self.received: dict[str, Tensor] = {}
        self.drawn: Drawn
        self._kept: dict[str, KeptTensor] = {}
        self.criterion: Callable[[Tensor, Tensor], Any] = (
            binary_cross_entropy_with_logits if data.info.task == "multilabel" else cross_entropy
        )

    def join(self, server: FederatedServer) -> None:
        """Take part in this server's federation."""
        self.server = server
        self.training: Training = server.config.training
        if beta := self.training.class_balanced_beta:
            several = self.data.info.task == "multilabel"
            self.criterion = BalancedLoss(self.label_counts(), len(self.rows), beta, several)

    @property
    def weight(self) -> float:
        """Its weight in averages, not normalised: n_i, or 1 under equal weights."""
        return self.server.weights[self.id]

    @property
    def learning_rate(self) -> float:
        """The local learning rate η of the round under way; before training, that of round 1."""
        return self.server.learning_rate(max(1, self.server.round))

    def receive(self, model: FlatModel, download: Mapping[str, Part] | None = None) -> None:
        """Load what the server sends into ``model``, then what stays with this client.

        ``download`` is what it sent when the round was opened; by default what it would send now.
        """
        download = self.server.download() if download is None else download
        self.received = {name: part.value for name, part in download.items()}
        self.server.load(model, self.received[PARAMETERS], self.received[STATISTICS])
        if "local" in self.state:
            self.server.shared.put_local(model, self.state["local"], self.state["local_buffers"])
        # Where all entries are shared, training begins at what was sent: no copy is needed.
        if self.server.shared.all:
            self.start, self.start_buffers = self.received[PARAMETERS], self.received[STATISTICS]
        else:
            self.start, self.start_buffers = model.vector.clone(), model.buffers.clone()

    def keep(self, **tensors: Tensor) -> None:
        """Put tensors into ``state`` once the server has this round's message.

        So a client that drops out of a round is left as it was before that round.
        """
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                where = hook_word("client.keep", type(self.server.algorithm))
                check_type(tensor, Tensor, f"{where}, as `{name}`,", "a tensor")
        self._kept |= tensors

    def train(
        self, model: FlatModel, download: Mapping[str, Part] | None = None
    ) -> tuple[Message, Work]:
        """Train for one round in ``model``, from what the server sent (see ``receive``).

        Returns:
            The message before any link has acted, and the work that was done. The vectors of the
            message may be the model's own: training another client in it overwrites them.

        Raises:
            NotFiniteError: the loss, the trained model or a part of the message is not finite.
            MedflError: a person's own algorithm gave something else than work and parts.
        """
        algorithm, shared = hooks_of(self.server.algorithm), self.server.shared
        self._kept = {}
        self.receive(model, download)
        work = algorithm.train(self, model)
        if not shared.all:
            local, buffers = shared.take_local(model)
            if not (all_finite(local) and all_finite(buffers)):
                raise NotFiniteError("what stays with it of the model is not finite")
            self.keep(local=local, local_buffers=buffers)
        parts = algorithm.message(self, model, work)
        message = Message(self.id, parts, self.weight, work.loss, work.steps, work.gradients)
        message.forwards = work.forwards
        message.check_finite()
        self.put_aside()
        return message, work

    def put_aside(self) -> None:
        """Let no memory hold what lies on the disk, or belongs there, until it is read again."""
        self._kept = self.server.states.put_aside(self._kept)
        self.state.release()

    def answered(self, work: Work) -> None:
        """Keep what hooks gave to ``keep``, and count the steps: the server has the message."""
        self.put_aside()
        self.state.keep(self._kept)
        self._kept = {}
        self.steps += work.steps

    def forget(self) -> None:
        """Drop what hooks gave to ``keep``: the server does not have this round's message."""
        self._kept = {}
        self.state.release()

    def leave(self) -> None:
        """Let go of what the server sent: its message is taken, or it was judged.

        Else each client would hold the model of the last round in which it took part.
        """
        self.received = {}
        self.__dict__.pop("start", None)
        self.__dict__.pop("start_buffers", None)

    def refuse(self) -> None:
        """Note that this round's message was not finite; the client is as before the round."""
        self.forget()
        self.refused = (*self.refused, self.server.round)

    def model_parts(self, model: FlatModel, weight: float | None = None) -> dict[str, Part]:
        """The shared entries of ``model`` as parts of a message.

        ``weight`` is this client's weight in averages by default.
        """
        parameters, buffers = self.server.shared.take(model)
        weight = self.weight if weight is None else weight
        return {
            PARAMETERS: Part(parameters, weight, self.received[PARAMETERS]),
            STATISTICS: Part(buffers, weight, self.received[STATISTICS]),
        }

    def spread(self, shared: Tensor) -> Tensor:
        """Shared entries (k,), such as a control variate, put in their places among all, (d,)."""
        return self.server.shared.spread(shared)

    def descend(
        self,
        model: FlatModel,
        purpose: str,
        *,
        correct_gradient: Correction | None = None,
        loss: Loss | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        rows: Tensor | None = None,
        beside: Beside | None = None,
    ) -> Work:
        """Train ``model`` on this client's training data, in place.

        Args:
            model: the model to train.
            purpose: names the random stream of this descent.
            correct_gradient: adds the algorithm's correction to every step's gradient.
            loss: the loss of a batch; by default the criterion on the model's logits.
            epochs: passes over the data; by default the work of the round.
            learning_rate: η of this descent; by default that of the round.
            rows: (m,), those store rows of its training data that are used; by default all.
            beside: called with each batch, when its gradient is known and the step is not taken
                yet; it may train another model (``stepping``).
        """
        steps = None
        if epochs is None:
            epochs, steps = self.server.work.of(self.id, self.server.round)
        key = (self.server.round, self.id, purpose)
        generator = torch_stream(self.server.config.seed, *key)
        chain, total, taken = self.server.chain, model.vector.new_zeros(()), 0
        model.module.train()
        layers = self._layers(*key)
        of_batch = loss_of(self, model, loss, autocast(self.training, self.data.device))
        plain = backward_of(of_batch, layers)
        backward = chain.gradient(self, model, plain)
        usual = getattr(loss, "__func__", loss) in (None, FederatedAlgorithm.loss)
        if backward is plain and usual:  # a loss of its own may look at more than the batch
            backward = self.server.graphs.backward(model, self.criterion, plain, of_batch, layers)
        step = stepper(self, model, backward, correct_gradient, learning_rate, beside)
        used = self.rows if rows is None else rows
        size = self.training.batch_size
        parts = batches(used, size, generator, epochs, steps)
        planned = steps or 0 if epochs is None else epochs * len(split_batches(used, size))
        drawn = chain.batches(self, parts, purpose, planned)
        for images, labels in batches_of(self, drawn, purpose):
            total += step(images, labels)
            taken += 1
        return Work(float(total) / max(1, taken), taken, taken)

    def stepping(
        self,
        model: FlatModel,
        purpose: str,
        *,
        correct_gradient: Correction | None = None,
        loss: Loss | None = None,
    ) -> Beside:
        """What takes a local step of ``model`` on a batch of another model's descent.

        Links that act on gradients leave it alone, so nothing of ``model`` may ever be sent.

        Args:
            model: the model to train.
            purpose: names its random stream, and is one of the algorithm's ``unshared_descents``.
            correct_gradient: as in ``descend``.
            loss: as in ``descend``.
        """
        algorithm = self.server.algorithm
        if purpose not in algorithm.unshared_descents:
            raise MedflError(
                f"`client.stepping` trains a model that is never sent, and {purpose!r} is not "
                f"among the `unshared_descents` of {type(algorithm).__name__}: name it there, or "
                "use `client.descend`."
            )
        model.module.train()
        of_batch = loss_of(self, model, loss, autocast(self.training, self.data.device))
        layers = self._layers(self.server.round, self.id, purpose)
        step = stepper(self, model, backward_of(of_batch, layers), correct_gradient)

        def beside(images: Tensor, labels: Tensor) -> None:
            step(images, labels)

        return beside

    def full_gradient(self, model: FlatModel, loss: Loss | None = None) -> tuple[Tensor, int]:
        """∇F_i at ``model``, the mean over the training data; the model stays as it was.

        It is the gradient of what the local steps minimise, in one pass over the images: they are
        shuffled, because a store may be sorted by class, batch norm uses each batch's statistics,
        and images are augmented, all as in training. Links draw its batches and see its gradients
        as they do in training. Weight decay is the optimiser's own.

        Args:
            model: where the gradient is taken.
            loss: the loss of a batch; by default the criterion on the model's logits.

        Returns:
            The gradient of the shared parameters, and the number of batches that it took.
        """
        buffers, chain = model.buffers.clone(), self.server.chain
        key = (self.server.round, self.id, "gradient")
        generator = torch_stream(self.server.config.seed, *key)
        model.module.train()
        size = self.training.batch_size
        rows, planned = batches(self.rows, size, generator, 1, None), split_batches(self.rows, size)
        parts = list(chain.batches(self, rows, "gradient", len(planned)))
        drawn = sum(map(len, parts))
        layers, gradient = self._layers(*key), Gradient(model)
        of_batch = loss_of(self, model, loss, nullcontext())
        backward = backward_of(of_batch, layers)
        linked, total = chain.gradient(self, model, backward), torch.zeros_like(model.vector)
        for images, labels in batches_of(self, iter(parts), "gradient"):
            share = len(images) / drawn
            if linked is backward:  # PyTorch adds the batches up
                with layers:
                    (of_batch(images, labels) * share).backward()
            else:  # a link acts on each batch's own gradient
                linked(images, labels)
                total.add_(gradient.flat(), alpha=share)
                model.zero_grad()
        total.add_(gradient.flat())
        model.zero_grad()
        model.buffers.copy_(buffers)
        mask = self.server.shared.parameters
        return total if mask is None else total[mask], len(parts)

    def label_counts(self) -> Tensor:
        """How many of its training samples have each label, (K,) whole numbers.

        They stay with the client. An algorithm that calls it says so in its ``counts_labels``.
        """
        labels = self.data.labels[self.rows]
        if labels.ndim == 2:
            return labels.sum(dim=0).long()
        return torch.bincount(labels, minlength=len(self.data.info.classes))

    def mean_loss(self, model: FlatModel) -> tuple[float, int]:
        """F_i of ``model`` as it is judged, and the number of batches that it took.

        An algorithm that calls it says so in its ``loss_passes``, and adds the batches to
        ``Work.forwards``.
        """
        return mean_loss(self, model)

    def _layers(self, *key: int | str) -> LayerStream:
        """What dropout and the like draw from in a descent."""
        seed = stream_seed(self.server.config.seed, *key, "layers")
        return LayerStream(seed, self.data.device, apart=in_worker())
