"""A client: its data, its state, and its local training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from medfl.algorithms import ClientUpdate
from medfl.augment import Augmenter
from medfl.config import Training
from medfl.federated.data import Crop, FederatedData, batches, split_batches
from medfl.federated.optimizer import make_optimizer
from medfl.federated.patches import random_patch
from medfl.federated.server import FederatedServer
from medfl.federated.streams import seed_layers, stream, stream_seed
from medfl.federated.vector import FlatModel, Gradient

Correction = Callable[[Gradient, FlatModel, "FederatedClient"], None]
Loss = Callable[[FlatModel, Tensor, Tensor, "FederatedClient"], Any]


class DivergedError(Exception):
    """A loss or a model stopped being finite."""


class FederatedClient:
    """One hospital: what it holds, and what it does in a round.

    Attributes:
        id: its number in the split; with ``None`` it holds the data of all clients.
        rows: store rows of its training data.
        state: tensors that the algorithm keeps for this client alone (control variates,
            personal layers); empty until needed.
        steps: optimiser steps taken so far.
    """

    def __init__(self, client: int | None, data: FederatedData) -> None:
        self.id = 0 if client is None else client
        self.data = data
        self.rows = data.pooled("train") if client is None else data.indices(client, "train")
        self.state: dict[str, Tensor] = {}
        self.steps = 0
        self.criterion = (
            binary_cross_entropy_with_logits if data.info.task == "multilabel" else cross_entropy
        )

    def join(self, server: FederatedServer) -> None:
        """Take part in this server's federation."""
        self.server = server
        self.training: Training = server.config.training

    @property
    def learning_rate(self) -> float:
        """The round's η, whether or not this client was sampled; before training round 1's."""
        return self.server.learning_rate(max(1, self.server.round))

    def receive(self, model: FlatModel) -> None:
        """Load the server's model, and over it what stays local to this client."""
        model.load(self.server.vector, self.server.buffers)
        if self.server.local and "local" in self.state:
            parameters, buffers = self.server.local
            model.vector[parameters] = self.state["local"]
            model.buffers[buffers] = self.state["local_buffers"]

    def train(self, weight: float) -> tuple[ClientUpdate, float]:
        """One round of local training.

        Returns:
            The update, whose vectors live in the shared model until the next client trains, and
            the mean training loss.
        """
        server, algorithm, model = self.server, self.server.algorithm, self.server.model
        self.receive(model)
        algorithm.before_training(self, model)
        loss, steps = self.descend(
            model, "train", correct_gradient=algorithm.correct_gradient, loss=algorithm.loss
        )
        self.steps += steps
        if server.local:
            parameters, buffers = server.local
            self.state["local"] = model.vector[parameters]
            self.state["local_buffers"] = model.buffers[buffers]
        update = ClientUpdate(self.id, model.vector, model.buffers, weight, steps)
        algorithm.client_update(self, model, update)
        if not bool(torch.isfinite(update.vector.sum())) or not math.isfinite(loss):
            raise DivergedError(f"round {server.round}, client {self.id}: the loss is not finite")
        return update, loss

    def descend(
        self,
        model: FlatModel,
        purpose: str,
        *,
        correct_gradient: Correction | None = None,
        loss: Loss | None = None,
        epochs: int | None = None,
    ) -> tuple[float, int]:
        """Optimise ``model`` on the training data, in place.

        Args:
            model: the model to train.
            purpose: names the random stream of this descent.
            correct_gradient: added to every step's gradient.
            loss: the objective; the plain criterion by default.
            epochs: passes over the data; as the configuration says by default.

        Returns:
            The mean loss, and the number of steps taken.
        """
        learning, training = self.server.config.federated_learning, self.training
        steps = learning.local_steps if epochs is None else None
        epochs = epochs or (None if steps else learning.local_epochs or 1)
        key = (self.server.round, self.id, purpose)
        generator = stream(self.server.config.seed, *key)
        # Dropout and the like draw from PyTorch's own generators.
        seed_layers(stream_seed(self.server.config.seed, *key, "layers"), self.data.device)
        optimizer = make_optimizer(training, model, self.learning_rate)
        gradient, autocast = Gradient(model), self.autocast()
        crop, augment = self.crop(purpose), self.augmenter(purpose)
        total, taken = model.vector.new_zeros(()), 0
        model.module.train()
        parts = batches(self.rows, training.batch_size, generator, epochs, steps)
        for rows in self.data.ahead(parts):
            images, labels = self.data.batch(rows, augment, crop)
            with autocast:
                value = (
                    loss(model, images, labels, self)
                    if loss
                    else self.criterion(model.module(images), labels)
                )
            value.backward()
            if correct_gradient is not None:
                correct_gradient(gradient, model, self)
            if training.clip_norm is not None:
                gradient.clip_(training.clip_norm)
            optimizer.step()
            model.zero_grad()
            total += value.detach()
            taken += 1
        return float(total) / taken, taken

    def full_gradient(self, model: FlatModel) -> Tensor:
        """∇F_i at ``model``: the mean over the training data, (d,). Leaves the model as it was.

        Batch norm uses each batch's statistics, as in training, and images are augmented as in
        training: it is the gradient of what the local steps minimise, each image drawn once.
        """
        buffers = model.buffers.clone()
        crop, augment = self.crop("gradient"), self.augmenter("gradient")
        key = (self.server.round, self.id, "gradient", "layers")
        seed_layers(stream_seed(self.server.config.seed, *key), self.data.device)
        model.module.train()
        for rows in self.data.ahead(split_batches(self.rows, self.training.batch_size)):
            images, labels = self.data.batch(rows, augment, crop)
            (self.criterion(model.module(images), labels) * (len(rows) / len(self.rows))).backward()
        gradient = Gradient(model).flat()
        model.zero_grad()
        model.buffers.copy_(buffers)
        return gradient

    def crop(self, purpose: str) -> Crop | None:
        """What takes a random patch of each image, on a stream of its own; None for whole ones."""
        patch = self.server.patch
        if patch is None:
            return None
        generator = stream(self.server.config.seed, self.server.round, self.id, purpose, "patch")
        return lambda images: random_patch(images, patch, generator)

    def augmenter(self, purpose: str) -> Augmenter | None:
        """What changes this round's training images, on a stream of its own; None for nothing."""
        recipe = self.server.augmentation
        if recipe is None:
            return None
        key = (self.server.round, self.id, purpose, "augment")
        generator = stream(self.server.config.seed, *key)
        return Augmenter(recipe, len(self.data.info.classes), generator)

    def autocast(self) -> torch.autocast:
        """The precision of forward passes on this device."""
        return autocast(self.training, self.data.device)


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """bfloat16 where the configuration wants it and, for ``auto``, where a GPU has it."""
    wanted = training.mixed_precision == "on" or (
        training.mixed_precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported()
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
