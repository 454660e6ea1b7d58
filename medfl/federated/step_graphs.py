"""A batch's forward and backward pass as one CUDA graph, launched at once.

A GPU computes a small batch faster than a processor can launch its hundreds of kernels one by one.
A graph holds them as they were launched once, with their addresses: so a batch is copied to where
the graph reads it, and the same kernels on the same numbers give the same bits.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor, nn

from medfl.chain.link import Backward
from medfl.models.flat import FlatModel
from medfl.streams import LayerStream

log = logging.getLogger(__name__)
FIRST = 3  # batches of a shape that are computed kernel by kernel, before a graph of it is made
MOST = 8  # graphs of a run: each holds a network's gradients and activations
LossOf = Callable[[Tensor, Tensor], Tensor]
"""The loss of a batch, from its images and labels."""
Results = tuple[Tensor, Sequence[Tensor | None]]
"""A batch's loss, and the gradient of each parameter that has one."""


class StepGraphs:
    """The graphs of a run, one for each shape of batch that comes up often.

    Attributes:
        used: whether there may be any.
    """

    def __init__(self, used: bool) -> None:
        self.used = used
        self._graphs: dict[Hashable, _Captured] = {}
        self._seen: Counter[Hashable] = Counter()

    def backward(
        self,
        model: FlatModel,
        criterion: Hashable,
        plain: Backward,
        loss_of: LossOf,
        layers: LayerStream,
    ) -> Backward:
        """What computes a batch's loss and gradient, by a graph where there is one.

        Args:
            model: the network that is trained.
            criterion: what gives the loss from the network's logits and the labels.
            plain: does the same kernel by kernel.
            loss_of: a batch's loss; it follows from the batch, the network and the criterion.
            layers: what dropout and the like draw from.
        """
        if not self.used:
            return plain

        def backward(images: Tensor, labels: Tensor) -> Tensor:
            if not self.used:
                return plain(images, labels)
            parameters = [p for p in model.module.parameters() if p.requires_grad]
            shapes = (images.shape, images.stride(), labels.shape, labels.dtype)
            key = (id(model), criterion, tuple(map(id, parameters)), shapes)
            graph = self._graphs.get(key)
            if graph is None:
                self._seen[key] += 1
                if self._seen[key] <= FIRST or len(self._graphs) == MOST:
                    return self._plainly(plain, images, labels, layers)
                try:
                    graph = _Captured(model, parameters, loss_of, images, labels)
                except RuntimeError as error:
                    self._give_up(f"{type(error).__name__}: {' '.join(str(error).split())}")
                    return plain(images, labels)
                self._graphs[key] = graph
            with layers:
                return graph.run(images, labels)

        return backward

    def _plainly(
        self, plain: Backward, images: Tensor, labels: Tensor, layers: LayerStream
    ) -> Tensor:
        """Compute kernel by kernel, and see whether a layer draws on the processor."""
        before = layers.on_cpu
        loss = plain(images, labels)
        if not torch.equal(before, layers.on_cpu):
            self._give_up("a layer draws its random numbers on the processor")
        return loss

    def _give_up(self, reason: str) -> None:
        self.used = False
        log.info("steps are launched kernel by kernel, not as CUDA graphs: %s", reason[:300])


class _Captured:
    """A graph of one shape of batch.

    What it leaves in the parameters' gradients lies where its next run will write.
    """

    def __init__(
        self,
        model: FlatModel,
        parameters: Sequence[nn.Parameter],
        loss_of: LossOf,
        images: Tensor,
        labels: Tensor,
    ) -> None:
        self._model, self._parameters = model, parameters  # held, so that no other has its place
        self._images, self._labels = images.clone(), labels.clone()

        def step() -> Results:
            loss = loss_of(self._images, self._labels)
            # Not `backward`, which adds to gradients that a graph could not find again.
            return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)

        buffers = model.buffers.clone()
        self._replay, (self._loss, self._gradients) = _capture(step)
        model.buffers.copy_(buffers)  # which the steps before the capture have moved

    def run(self, images: Tensor, labels: Tensor) -> Tensor:
        """Put a batch's gradient into the model, and give its loss, which the next run replaces."""
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._loss


def _capture(step: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
    """What launches the kernels of a step again, and where they leave its results."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # PyTorch's notes on CUDA graphs ask for a step beforehand
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step()
    replay: Callable[[], None] = graph.replay
    return replay, results
