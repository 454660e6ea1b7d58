"""A local step: a batch's gradient, what corrects it, and the optimiser's move."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from torch import Tensor

from medfl.chain.link import Backward
from medfl.chain.roles import Beside, Correction, Loss
from medfl.federated.optimizer import make_optimizer
from medfl.federated.own_training import own_correction, own_loss
from medfl.federated.step_graphs import LossOf
from medfl.models.flat import FlatModel, Gradient

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient


def loss_of(
    client: FederatedClient,
    model: FlatModel,
    loss: Loss | None,
    precision: AbstractContextManager[Any],
) -> LossOf:
    """The loss of a batch; by default the criterion on the model's logits."""
    if loss is not None:
        loss = own_loss(client.server.algorithm, loss)

    def of_batch(images: Tensor, labels: Tensor) -> Any:
        with precision:
            if loss is None:
                return client.criterion(model.module(images), labels)
            return loss(model, images, labels, client)

    return of_batch


def backward_of(of_batch: LossOf, layers: AbstractContextManager[Any]) -> Backward:
    """What computes a batch's loss and gradient as PyTorch does."""

    def backward(images: Tensor, labels: Tensor) -> Tensor:
        with layers:
            loss = of_batch(images, labels)
            loss.backward()
        return loss.detach()

    return backward


def stepper(
    client: FederatedClient,
    model: FlatModel,
    backward: Backward,
    correct_gradient: Correction | None = None,
    learning_rate: float | None = None,
    beside: Beside | None = None,
) -> Backward:
    """What takes a step on a batch and gives its loss, with a new optimiser.

    Args:
        client: whose step it is.
        model: the model that moves.
        backward: computes a batch's loss and gradient.
        correct_gradient: adds the algorithm's correction to the gradient.
        learning_rate: η; by default that of the round.
        beside: is called with the batch before the model moves, unless there is no sample in it.
    """
    training, gradient = client.training, Gradient(model)
    correct_gradient = own_correction(client.server.algorithm, correct_gradient)
    optimizer = make_optimizer(training, model, learning_rate or client.learning_rate)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        value = backward(images, labels)
        if correct_gradient is not None:
            correct_gradient(gradient, model, client)
        if training.clip_norm is not None:
            gradient.clip_(training.clip_norm)
        if beside is not None and len(images):
            beside(images, labels)
        optimizer.step()
        model.zero_grad()
        return value

    return step
