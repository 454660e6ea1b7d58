"""Local optimisers: the arithmetic of ``torch.optim``, without its start-up.

The first step of any ``torch.optim`` optimiser imports PyTorch's compiler, which nearly doubles
the time until a job does its first step. The results are the same to the bit (there are tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam

from medfl.config import Training
from medfl.models.flat import FlatModel


class Optimizer(Protocol):
    """Takes a step from the gradients that the parameters hold."""

    def step(self) -> None:
        """Change the parameters in place."""


def make_optimizer(training: Training, model: FlatModel, learning_rate: float) -> Optimizer:
    """A new local optimiser: every client starts every round without momentum."""
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    if training.optimizer == "sgd":
        return SGD(parameters, learning_rate, training.momentum, training.weight_decay)
    decoupled = training.optimizer == "adamw"
    return Adam(parameters, learning_rate, training.weight_decay, decoupled)


class SGD:
    """Stochastic gradient descent, as ``torch.optim.SGD``."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        learning_rate: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate, self.momentum = learning_rate, momentum
        self.weight_decay = weight_decay
        # Parameter → its velocity, which is its gradient after the first step.
        self._velocity: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:
        """v ← ρv + g + λx;  x ← x − ηv."""
        used = [p for p in self.parameters if p.grad is not None]
        change = [p.grad for p in used if p.grad is not None]
        if not used:
            return
        if self.weight_decay:
            change = list(torch._foreach_add(change, used, alpha=self.weight_decay))
        if self.momentum:
            change = self._accelerate(used, change)
        torch._foreach_add_(used, change, alpha=-self.learning_rate)

    def _accelerate(self, used: list[Tensor], change: list[Tensor]) -> list[Tensor]:
        pairs = list(zip(used, change, strict=True))
        moving = [(self._velocity[p], g) for p, g in pairs if p in self._velocity]
        if moving:
            velocities = [velocity for velocity, _ in moving]
            torch._foreach_mul_(velocities, self.momentum)
            torch._foreach_add_(velocities, [g for _, g in moving])
        for parameter, gradient in pairs:
            if parameter not in self._velocity:
                self._velocity[parameter] = gradient.clone()
        return [self._velocity[p] for p in used]


class Adam:
    """``torch.optim.Adam``, or ``AdamW`` where the weight decay is decoupled."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        learning_rate: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.decoupled = decoupled
        # First moment, second moment and step count of each parameter that had a gradient.
        self._state: dict[Tensor, tuple[Tensor, Tensor, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Let PyTorch's own function take the step."""
        used = [p for p in self.parameters if p.grad is not None]
        for p in used:
            if p not in self._state:
                zeros = torch.zeros_like(p, memory_format=torch.preserve_format)
                self._state[p] = (zeros, zeros.clone(), torch.tensor(0.0))
        states = [self._state[p] for p in used]
        adam(
            used,
            [p.grad for p in used if p.grad is not None],
            [state[0] for state in states],
            [state[1] for state in states],
            [],
            [state[2] for state in states],
            decoupled_weight_decay=self.decoupled,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )
