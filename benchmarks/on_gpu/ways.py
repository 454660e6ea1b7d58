"""Ways to train the clients of a round on one device; each ends with all clients' models.

Two things vary. Clients train in *lanes*, each a network on a CUDA stream of its own, or all at
once in one batched network (``torch.func``: Horace He & Richard Zou, functorch, 2021). And the
kernels of a step are launched one by one, or captured once in a CUDA graph and replayed.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from benchmarks.on_gpu.work import LEARNING_RATE, Work, normalised, values

LANES = 4  # streams side by side
WARM_UP = 3  # steps before a capture, as PyTorch's notes on CUDA graphs ask for


class Way(ABC):
    """One way.

    Attributes:
        work: what is trained.
        vectors: (clients, d), each client's parameters and statistics after ``train``.
        lacks: what of the way this device cannot do; empty where it can do all of it.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.vectors = torch.empty(
            work.shape.clients, sum(map(Tensor.numel, values(work.start))), device=work.device
        )
        self.lacks = ""

    @abstractmethod
    def train(self) -> None:
        """Train every client from the start, and fill ``vectors``."""


class Lane:
    """A network with a batch at a fixed place, and a step on it."""

    def __init__(self, work: Work, captured: bool, stream: Any) -> None:
        self.net, self.stream = copy.deepcopy(work.start), stream
        self.values, self._start = values(self.net), values(work.start)
        self._parameters = list(self.net.parameters())
        self._images = torch.empty_like(work.images[0, 0])
        self._labels = torch.zeros_like(work.labels[0, 0])
        self._half, self._draws = work.shape.half, draws(self.net)
        self._run: Callable[[], None] = self._step
        if captured:
            self._images.zero_()
            self._run = capture(self._step, stream)

    def load(self) -> None:
        """Begin with the model that all begin with."""
        with torch.no_grad():
            torch._foreach_copy_(self.values, self._start)

    def take(self, images: Tensor, labels: Tensor, seed: int) -> None:
        """Take a step on a batch; what the network draws follows from the seed."""
        self._images.copy_(images)
        self._labels.copy_(labels)
        if self._draws:
            generator_of(images.device).manual_seed(seed)
        self._run()

    def store(self, vector: Tensor) -> None:
        """Write the model, as one vector."""
        with torch.no_grad():
            torch.cat([value.reshape(-1) for value in self.values], out=vector)

    def _step(self) -> None:
        images = normalised(self._images).contiguous(memory_format=torch.channels_last)
        with precision(self._images.device, self._half):
            logits = self.net(images)
        descend(self._parameters, cross_entropy(logits.float(), self._labels))


class InLanes(Way):
    """Clients in lanes: with one lane, one after another.

    Clients of several lanes take turns, step by step, so that the device has work of all of them.
    """

    def __init__(self, work: Work, lanes: int = 1, captured: bool = False) -> None:
        super().__init__(work)
        cuda, many = work.device.type == "cuda", lanes > 1
        lanes = min(lanes, work.shape.clients)
        streams = [torch.cuda.Stream() if cuda and many else None for _ in range(lanes)]
        self._lanes = [Lane(work, captured and cuda, stream) for stream in streams]
        if not cuda:
            self.lacks = "; ".join(
                ["streams: clients take turns"] * many
                + ["graphs: kernels are launched one by one"] * captured
            )

    def train(self) -> None:
        shape, work = self.work.shape, self.work
        for first in range(0, shape.clients, len(self._lanes)):
            wave = list(enumerate(self._lanes[: shape.clients - first], first))
            for _, lane in wave:
                with on(lane.stream, wait=True):
                    lane.load()
            for step in range(shape.steps):
                for client, lane in wave:
                    batch = work.images[client, step], work.labels[client, step]
                    with on(lane.stream):
                        lane.take(*batch, seed=client * shape.steps + step)
            for client, lane in wave:
                with on(lane.stream):
                    lane.store(self.vectors[client])
                if lane.stream is not None:
                    torch.cuda.current_stream().wait_stream(lane.stream)


class Batched(Way):
    """All clients at once: a step of the batched network is a step of each.

    Where a network draws at random (dropout), all clients draw the same here: PyTorch cannot batch
    the draws of torchvision's stochastic depth otherwise. So their bits differ from other ways'.
    """

    def __init__(self, work: Work, captured: bool = False) -> None:
        super().__init__(work)
        nets: list[nn.Module] = [copy.deepcopy(work.start) for _ in range(work.shape.clients)]
        self._parameters, self._buffers = stack_module_state(nets)
        self._net = batchable(copy.deepcopy(work.start).to("meta"))
        floating = [value for value in self._buffers.values() if value.is_floating_point()]
        self._values = [*self._parameters.values(), *floating]
        self._start = values(work.start)
        self._images = torch.zeros_like(work.images[:, 0])
        self._labels = torch.zeros_like(work.labels[:, 0])
        self._run: Callable[[], None] = self._step
        cuda = work.device.type == "cuda"
        if captured and cuda:
            self._run = capture(self._step, None)
        self.lacks = "; ".join(
            ["graphs: kernels are launched one by one"] * (captured and not cuda)
            + ["draws of each client's own: all draw the same"] * draws(work.start)
        )

    def train(self) -> None:
        with torch.no_grad():
            for value, start in zip(self._values, self._start, strict=True):
                value.copy_(start.expand_as(value))
        for step in range(self.work.shape.steps):
            self._images.copy_(self.work.images[:, step])
            self._labels.copy_(self.work.labels[:, step])
            self._run()
        with torch.no_grad():
            torch.cat([value.flatten(1) for value in self._values], dim=1, out=self.vectors)

    def _step(self) -> None:
        with precision(self._images.device, self.work.shape.half):
            logits = vmap(self._forward, randomness="same")(
                self._parameters, self._buffers, normalised(self._images)
            )
        losses = vmap(cross_entropy)(logits.float(), self._labels)
        # A client's loss depends on its own parameters alone: the sum's gradient is each one's own.
        descend(list(self._parameters.values()), losses.sum())

    def _forward(self, parameters: Any, buffers: Any, images: Tensor) -> Tensor:
        logits: Tensor = functional_call(self._net, (parameters, buffers), (images,))
        return logits


class BatchableNorm(nn.BatchNorm2d):
    """Batch norm in training by plain arithmetic, as PyTorch's own kernel cannot be batched."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) by its own mean and variance, and keep running ones."""
        images = x.float()
        mean = images.mean((0, 2, 3))
        variance = images.var((0, 2, 3), correction=0)
        count = images.numel() // images.shape[1]
        with torch.no_grad():
            for running, now in (
                (self.running_mean, mean),
                (self.running_var, variance * (count / (count - 1))),
            ):
                if running is not None and self.momentum is not None:
                    running.mul_(1 - self.momentum).add_(now, alpha=self.momentum)
        shape = (1, -1, 1, 1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        centred = images - mean.view(shape)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)


WAYS: dict[str, Callable[[Work], Way]] = {
    "one after another": InLanes,
    "CUDA streams": lambda work: InLanes(work, LANES),
    "torch.func": Batched,
    "CUDA graphs": lambda work: InLanes(work, captured=True),
    "CUDA graphs on streams": lambda work: InLanes(work, LANES, captured=True),
    "torch.func in a CUDA graph": lambda work: Batched(work, captured=True),
}
FIRST = next(iter(WAYS))  # the engine's own, with which the others are compared


def batchable(net: nn.Module) -> nn.Module:
    """The same network, whose batch norms ``torch.func`` can batch."""
    for part in net.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = BatchableNorm
    return net


def draws(net: nn.Module) -> bool:
    """Whether a network draws at random while it trains."""
    kinds = ("Dropout", "StochasticDepth")
    return any(type(part).__name__.startswith(kinds) for part in net.modules())


def generator_of(device: torch.device) -> torch.Generator:
    """PyTorch's own generator of a device, from which networks draw."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or torch.cuda.current_device()]
    return torch.default_generator


def descend(parameters: Sequence[Tensor], loss: Tensor) -> None:
    """x ← x − η ∇loss, in place."""
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        torch._foreach_add_(list(parameters), list(gradients), alpha=-LEARNING_RATE)


def precision(device: torch.device, half: bool) -> torch.autocast:
    """In which precision a forward pass computes.

    Cast weights are not cached: inside a graph the cache would outlive its step.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=False)


def capture(step: Callable[[], None], stream: Any) -> Callable[[], None]:
    """The kernels of a step, launched at once.

    Args:
        step: the step.
        stream: on which it will run; None for the usual one. A graph that was captured elsewhere
            would share cuBLAS's workspace with the graphs of other lanes.
    """
    stream = stream or torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    replay: Callable[[], None] = graph.replay
    return replay


def on(stream: Any, wait: bool = False) -> AbstractContextManager[Any]:
    """On this stream, if there is one; after what was begun elsewhere, if asked to wait."""
    if stream is None:
        return nullcontext()
    if wait:
        stream.wait_stream(torch.cuda.current_stream())
    context: AbstractContextManager[Any] = torch.cuda.stream(stream)
    return context
