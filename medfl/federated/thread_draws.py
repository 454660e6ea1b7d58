"""Dropout and the like in threads: each thread draws from a generator of its own.

PyTorch's layers draw from a generator that the whole process shares. In a thread every call that
would draw from it gets the thread's generator instead, and gives the bits that PyTorch gives when
its own generator stands where the thread's does.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache, partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from medfl.errors import MedflError

# What takes a generator, as functions and as methods of tensors.
_FUNCTIONS = (
    *("bernoulli", "binomial", "multinomial", "normal", "poisson", "rand", "rand_like", "randint"),
    *("randint_like", "randn", "randn_like", "randperm"),
)
_METHODS = (
    *("bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_"),
    *("multinomial", "normal_", "random_", "uniform_"),
)


class ThreadLayerStream(TorchFunctionMode):
    """As ``streams.LayerStream``, for a step that a thread takes on the CPU beside others.

    What PyTorch draws within a call that takes no generator, such as the dropout of an LSTM or of
    attention, still comes from the process's generator: ``Workers`` notices it.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, with this stream's generator where it draws."""
        kwargs = kwargs or {}
        if func in _taking():
            if kwargs.get("generator") is None:
                kwargs = {**kwargs, "generator": self._draw()}
        elif (layer := _layers().get(func)) is not None:
            return layer(func, self._draw, *args, **kwargs)
        return func(*args, **kwargs)

    def _draw(self) -> torch.Generator:
        """The generator, of which something is about to be drawn.

        What is computed again in the backward pass (``torch.utils.checkpoint``) would draw other
        numbers there: it puts back the process's generator, and no other.
        """
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
                raise MedflError(
                    "the network draws random numbers, such as dropout's, under "
                    "`torch.utils.checkpoint`, which threads cannot do side by side: set "
                    "`training.workers: 1`."
                )
            frame = frame.f_back
        return self._generator


@cache
def _taking() -> frozenset[Any]:
    functions = {getattr(torch, name) for name in _FUNCTIONS}
    return frozenset(functions | {getattr(Tensor, name) for name in _METHODS})


@cache
def _layers() -> dict[Any, Callable[..., Tensor]]:
    """What draws without taking a generator → what does the same with one."""
    return {
        functional.dropout: _dropout,
        functional.dropout1d: partial(_dropout, sides=(3,)),
        functional.dropout2d: partial(_dropout, sides=(3, 4)),
        functional.dropout3d: partial(_dropout, sides=(5,)),
        functional.alpha_dropout: partial(_dropout, alpha=True),
        functional.feature_alpha_dropout: partial(_dropout, alpha=True, sides=(2, 3, 4, 5)),
        functional.rrelu: _rrelu,
    }


def _dropout(
    original: Callable[..., Tensor],
    draw: Callable[[], torch.Generator],
    input: Tensor,
    p: float = 0.5,
    training: bool | None = None,
    inplace: bool = False,
    *,
    alpha: bool = False,
    sides: tuple[int, ...] = (),
) -> Tensor:
    """What ATen does for each kind of dropout on a CPU (``Dropout.cpp``), step by step.

    Args:
        original: PyTorch's function, which also answers where nothing is drawn.
        draw: gives what is drawn from.
        input: (N, C, …).
        p: the probability with which an entry, or a channel, is dropped.
        training: whether anything is; None stands for the function's own default.
        inplace: whether ``input`` is overwritten.
        alpha: whether what is dropped gets SELU's limit, and all are moved to mean 0, variance 1.
        sides: the dimensions that an input may have whose whole channels are dropped; empty where
            single entries are.
    """
    if training is None:
        training = not alpha
    alike = not sides or input.dim() in sides
    if not (training and alike and 0 < p < 1 and input.numel()):
        return original(input, p, training, inplace)
    if sides:
        noise = input.new_empty(*input.shape[:2], *[1] * (input.dim() - 2))
    else:
        noise = torch.empty_like(input)
    noise.bernoulli_(1 - p, generator=draw())
    multiply = input.mul_ if inplace else input.mul
    if not alpha:
        return multiply(noise.div_(1 - p))
    limit = 1.7580993408473766
    scale = 1 / math.sqrt((limit * limit * p + 1) * (1 - p))
    shift = noise.add(-1).mul_(limit * scale).add_(limit * scale * p)
    return multiply(noise.mul_(scale)).add_(shift)


def _rrelu(
    original: Callable[..., Tensor],
    draw: Callable[[], torch.Generator],
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Randomised leaky ReLU, whose slopes are drawn in training."""
    if not training:
        return original(input, lower, upper, training, inplace)
    noise = torch.empty_like(input, memory_format=torch.contiguous_format)
    layers: Any = torch._C._nn
    with_noise = layers.rrelu_with_noise_ if inplace else layers.rrelu_with_noise
    found: Tensor = with_noise(input, noise, lower, upper, training, draw())
    return found
