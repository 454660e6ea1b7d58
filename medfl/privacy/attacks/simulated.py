"""What clients would have sent for candidate images, so that it can be differentiated by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call

from medfl.models.normalization import BATCH_NORMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from medfl.models.flat import FlatModel

EPSILON = 1e-5  # batch norm's own


@dataclass(frozen=True)
class LocalTraining:
    """How a client trains: plain SGD on all of its images at every step.

    Attributes:
        steps: local steps of the round.
        learning_rate: η.
        criterion: the loss of logits and labels.
    """

    steps: int
    learning_rate: float
    criterion: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Sent:
    """What one client sends, as functions of its images.

    Attributes:
        update: y − x, one tensor for each parameter.
        statistics: (b,), the mean and variance of each batch-norm layer's input, layer by layer in
            the order of the model's buffers; those of all steps, weighted as the running ones are.
    """

    update: list[Tensor]
    statistics: Tensor


class SimulatedClient:
    """A client's local training from the model that the server sent, in that model's own network.

    The network is in training mode, so that batch norm uses the candidates' own statistics, as it
    did with the client's images.
    """

    def __init__(self, model: FlatModel, training: LocalTraining) -> None:
        self.training = training
        self.module = model.module.train()
        self.norms = [m for m in self.module.modules() if isinstance(m, BATCH_NORMS)]
        self._names = [name for name, _ in self.module.named_parameters()]
        self._start = [p.detach().clone() for _, p in self.module.named_parameters()]
        self._buffers = {name: b.clone() for name, b in self.module.named_buffers()}

    def sent(self, images: Tensor, labels: Tensor) -> Sent:
        """What a client with these normalised images (B, C, H, W) sends, differentiably."""
        values = [p.clone().requires_grad_() for p in self._start]
        seen = []
        for _ in range(self.training.steps):
            with self._statistics() as layers:
                named = dict(zip(self._names, values, strict=True))
                buffers = {name: b.clone() for name, b in self._buffers.items()}
                logits = functional_call(self.module, (named, buffers), (images,))
                loss = self.training.criterion(logits, labels)
            gradients = torch.autograd.grad(loss, values, create_graph=True)
            rate = self.training.learning_rate
            values = [v - rate * g for v, g in zip(values, gradients, strict=True)]
            seen.append(torch.cat(layers) if layers else images.new_zeros(0))
        update = [v - start for v, start in zip(values, self._start, strict=True)]
        statistics = seen[0]
        if self.norms and len(seen) > 1:
            shares = running_shares(self.norms[0].momentum or 0.1, len(seen))
            statistics = torch.stack(
                [share * one for share, one in zip(shares, seen, strict=True)]
            ).sum(dim=0)
        return Sent(update, statistics)

    @contextmanager
    def _statistics(self) -> Iterator[list[Tensor]]:
        """Collect the mean and unbiased variance of what each batch norm gets."""
        layers: list[Tensor] = []

        def collect(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            over = [d for d in range(inputs[0].ndim) if d != 1]
            layers.append(inputs[0].mean(dim=over))
            layers.append(inputs[0].var(dim=over, correction=1))

        hooks = [norm.register_forward_pre_hook(collect) for norm in self.norms]
        try:
            yield layers
        finally:
            for hook in hooks:
                hook.remove()


def running_shares(momentum: float, steps: int) -> list[float]:
    """How much each of the ``steps`` batches counts in what a running average has taken in."""
    weights = [momentum * (1 - momentum) ** (steps - 1 - step) for step in range(steps)]
    return [weight / sum(weights) for weight in weights]


def taken_in(before: Tensor, after: Tensor, momentum: float, steps: int) -> Tensor:
    """What a running average has taken in between ``before`` and ``after``, (b,).

    After one step this is the batch's own mean or variance: r' = (1 − m) r + m·v.
    """
    kept = (1 - momentum) ** steps
    return (after - kept * before) / (1 - kept)
