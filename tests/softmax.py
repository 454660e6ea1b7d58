"""Softmax regression in numpy: what the papers write, without PyTorch or the package's algebra.

Only the pixels, the batches' order and the sampled clients are taken from the federation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from medfl.federated import FederatedTrainer
from medfl.federated.data import batches
from medfl.streams import torch_stream

Correction = Callable[[np.ndarray], Any]


class Softmax:
    """The local problems of a federation whose model is ``federations.Linear``.

    Attributes:
        start: the initial parameters θ, (d,), weights before biases.
        weights: p_i of every client, its share of all training samples.
    """

    def __init__(self, trainer: FederatedTrainer) -> None:
        data = trainer.data
        self.trainer = trainer
        self.classes = len(data.info.classes)
        everything = data.inputs(data.pooled("train").new_tensor(range(len(data.labels))))
        self.x = everything.flatten(1).numpy().copy()
        self.y = data.labels.numpy()
        self.start = trainer.server.model.vector.numpy().copy()
        sizes = np.array([len(client.rows) for client in trainer.clients], float)
        self.weights = sizes / sizes.sum()

    def gradient(self, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Gradient of the mean cross-entropy over ``rows``, (d,)."""
        k, x = self.classes, self.x[rows]
        scores = x @ theta[:-k].reshape(k, -1).T + theta[-k:]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), self.y[rows]] -= 1
        p /= len(rows)
        return np.concatenate([(p.T @ x).ravel(), p.sum(axis=0)])

    def losses(self, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Cross-entropy of each of ``rows``."""
        k = self.classes
        scores = self.x[rows] @ theta[:-k].reshape(k, -1).T + theta[-k:]
        return np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(rows)), self.y[rows]]

    def rows(self, client: int) -> np.ndarray:
        """All training rows of a client."""
        return self.trainer.clients[client].rows.numpy()

    def batches(
        self,
        client: int,
        number: int,
        purpose: str = "train",
        epochs: int | None = None,
        steps: int | None = None,
    ) -> list[np.ndarray]:
        """The rows of each local step of a client in a round."""
        config = self.trainer.config
        learning = config.federated_learning
        steps = steps or (learning.local_steps if epochs is None else None)
        passes = epochs or (None if steps else learning.local_epochs or 1)
        generator = torch_stream(config.seed, number, client, purpose)
        rows = self.trainer.clients[client].rows
        drawn = batches(rows, config.training.batch_size, generator, passes, steps)
        return [part.numpy() for part in drawn]

    def descend(
        self,
        theta: np.ndarray,
        steps: list[np.ndarray],
        rate: float = 0.1,
        momentum: float = 0.0,
        correction: Correction = lambda y: 0.0,
    ) -> np.ndarray:
        """SGD with the heavy ball; ``correction(y)`` is added to every gradient."""
        y, velocity = theta.copy(), np.zeros_like(theta)
        for rows in steps:
            velocity = momentum * velocity + self.gradient(y, rows) + correction(y)
            y = y - rate * velocity
        return y

    def participants(self, number: int) -> list[int]:
        """Who takes part in a round."""
        return self.trainer.server.participants(number)

    def share(self, chosen: list[int]) -> np.ndarray:
        """Sample weights of these clients, summing to 1."""
        return self.weights[chosen] / self.weights[chosen].sum()


class Parted(Softmax):
    """The same where the model is ``federations.Parted``: body and head, each linear."""

    body = 4 * 36 + 4
    """So many of the parameters are the body's, and come first."""

    def gradient(self, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Gradient of the mean cross-entropy over ``rows``, (d,), by the chain rule."""
        x, body, head = self.x[rows], theta[: self.body], theta[self.body :]
        weights = head[:-3].reshape(3, 4)
        z = x @ body[:-4].reshape(4, 36).T + body[-4:]
        scores = z @ weights.T + head[-3:]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), self.y[rows]] -= 1
        p /= len(rows)
        of_z = p @ weights
        parts = (of_z.T @ x).ravel(), of_z.sum(axis=0), (p.T @ z).ravel(), p.sum(axis=0)
        return np.concatenate(parts)


def close(ours: Any, theirs: np.ndarray) -> bool:
    """Whether a tensor is an array to 1e-10."""
    return bool(np.abs(ours.numpy() - theirs).max() <= 1e-10)
