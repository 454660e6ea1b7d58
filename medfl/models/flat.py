"""A model as one flat vector: its parameters lie side by side in one piece of memory."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

ALIGNED = 16  # bytes that kernels of a GPU read at once, from addresses that are multiples of it


class FlatModel:
    """A module whose parameters lie side by side in one piece of memory.

    Attributes:
        module: the network; its floating buffers (batch-norm statistics) are views into
            ``buffers``.
        buffers: all floating buffers, (b,). Integer buffers stay in the module and never travel:
            they count batches, which a running average with a momentum does not read.
    """

    def __init__(self, module: nn.Module, aligned: int | None = None) -> None:
        """Of this network, whose tensors move.

        Args:
            module: the network.
            aligned: each parameter begins at a multiple of so many bytes; by default ``ALIGNED``
                on a GPU, and anywhere on a CPU.
        """
        self.module = module
        self._twins: dict[str, FlatModel] = {}
        self._parameters: list[Tensor] = list(module.parameters())
        if not self._parameters:
            raise ValueError("a model without parameters cannot be trained")
        # Each parameter keeps its memory layout (channels last or not) within its stretch.
        self._layout: list[tuple[torch.Size, tuple[int, ...], int]] = []
        first = self._parameters[0]
        on_gpu = first.device.type == "cuda"
        unit = max(1, (aligned or ALIGNED * on_gpu) // first.element_size())
        offset, place, places = 0, 0, []
        for parameter in self._parameters:
            stride = torch.empty_like(parameter).stride()
            self._layout.append((parameter.shape, stride, offset))
            offset += parameter.numel()
            place = -(-place // unit) * unit
            places.append(place)
            place += parameter.numel()
        self._size, self._memory = offset, first.new_empty(place)
        for parameter, (shape, stride, _), at in zip(
            self._parameters, self._layout, places, strict=True
        ):
            view = self._memory.as_strided(shape, stride, at)
            parameter.data = view.copy_(parameter.detach())
        floating = [b for b in module.buffers() if b.is_floating_point()]
        self.buffers = (
            torch.cat([b.reshape(-1) for b in floating]) if floating else self.vector.new_empty(0)
        )
        self._counters = {
            name: b.clone() for name, b in module.named_buffers() if not b.is_floating_point()
        }
        offset = 0
        for buffer in floating:
            view = self.buffers[offset : offset + buffer.numel()].view_as(buffer)
            buffer.set_(view)  # type: ignore[call-overload]
            offset += buffer.numel()

    @property
    def vector(self) -> Tensor:
        """All parameters, (d,), to be read; where they lie without gaps it is their memory."""
        if len(self._memory) == self._size:
            return self._memory
        vector = self._memory.new_empty(self._size)
        with torch.no_grad():
            torch._foreach_copy_(self.views(vector), self._parameters)
        return vector

    def views(self, vector: Tensor) -> list[Tensor]:
        """``vector`` (d,) as one view per parameter, in the parameters' shapes and layouts."""
        first = vector.storage_offset()
        return [
            vector.as_strided(shape, stride, first + offset)
            for shape, stride, offset in self._layout
        ]

    def load(self, vector: Tensor, buffers: Tensor) -> None:
        """Overwrite all parameters (d,) and floating buffers (b,)."""
        self._write(vector)
        self.buffers.copy_(buffers)

    def put(self, mask: Tensor, vector: Tensor) -> None:
        """Overwrite those parameters at which ``mask`` (d,) holds, by ``vector`` (k,)."""
        whole = self.vector
        whole[mask] = vector
        self._write(whole)

    def _write(self, vector: Tensor) -> None:
        if vector is self._memory:
            return
        if len(self._memory) == self._size:
            self._memory.copy_(vector)
        else:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, self.views(vector))

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def clone(self) -> FlatModel:
        """An independent copy."""
        return FlatModel(copy.deepcopy(self.module))

    def twin(self, name: str, trained: bool = False) -> FlatModel:
        """A copy of the network, made once and kept with this model.

        It is frozen and in evaluation mode, unless it is to be ``trained``.
        """
        if name not in self._twins:
            twin = self.clone()
            if not trained:
                twin.module.eval().requires_grad_(False)
            self._twins[name] = twin
        return self._twins[name]

    @contextmanager
    def in_double(self) -> Iterator[None]:
        """The network and its twins in double precision, apart from their own memory.

        Afterwards they are as before to the bit, without gradients.
        """
        parameters = [(parameter, parameter.data) for parameter in self._parameters]
        modules = list(self.module.modules())
        buffers = [(module, dict(module._buffers)) for module in modules]
        with ExitStack() as twins:
            for twin in self._twins.values():
                twins.enter_context(twin.in_double())
            try:
                self.zero_grad()
                self.module.double()
                yield
            finally:
                self.zero_grad()
                for parameter, data in parameters:
                    parameter.data = data
                for module, kept in buffers:
                    module._buffers.update(kept)

    def mask(self, names: Collection[str]) -> tuple[Tensor, Tensor]:
        """Where the named parameters and buffers lie, as booleans (d,) and (b,)."""
        parameters = [
            torch.full((p.numel(),), name in names) for name, p in self.module.named_parameters()
        ]
        buffers = [
            torch.full((b.numel(),), name in names)
            for name, b in self.module.named_buffers()
            if b.is_floating_point()
        ]
        none = torch.zeros(0, dtype=torch.bool)
        return torch.cat(parameters), torch.cat([none, *buffers])

    def named_vector(self) -> dict[str, Tensor]:
        """Parameters and buffers by their names in the module, as they are saved.

        Batch counters have their first values: this network has served all clients in turn, so
        what it counted says nothing.
        """
        state = {**self.module.state_dict(), **self._counters}
        return {key: value.contiguous() for key, value in state.items()}


class Shared:
    """Knows which entries of a model travel between server and clients; the others stay local.

    Attributes:
        parameters: boolean (d,), which parameters are shared; None where all are.
        buffers: boolean (b,), which statistics are shared; None where all parameters are.
    """

    def __init__(self, model: FlatModel, local: Collection[str]) -> None:
        """All of ``model`` is shared but the parameters and buffers named in ``local``."""
        self.parameters: Tensor | None = None
        self.buffers: Tensor | None = None
        if local:
            parameters, buffers = model.mask(local)
            self.parameters = ~parameters.to(model.vector.device)
            self.buffers = ~buffers.to(model.vector.device)

    @property
    def all(self) -> bool:
        """Whether nothing stays local."""
        return self.parameters is None

    def take(self, model: FlatModel) -> tuple[Tensor, Tensor]:
        """The shared parameters (k,) and statistics; the model's own vectors if all is shared."""
        if self.parameters is None:
            return model.vector, model.buffers
        return model.vector[self.parameters], model.buffers[self.buffers]

    def take_local(self, model: FlatModel) -> tuple[Tensor, Tensor]:
        """The parameters and statistics that stay local."""
        if self.parameters is None or self.buffers is None:
            return model.vector[:0], model.buffers[:0]
        return model.vector[~self.parameters], model.buffers[~self.buffers]

    def put(self, model: FlatModel, parameters: Tensor, buffers: Tensor) -> None:
        """Overwrite the shared entries of ``model``."""
        if self.parameters is None:
            model.load(parameters, buffers)
        else:
            model.put(self.parameters, parameters)
            model.buffers[self.buffers] = buffers

    def put_local(self, model: FlatModel, parameters: Tensor, buffers: Tensor) -> None:
        """Overwrite the entries of ``model`` that stay local."""
        if self.parameters is not None and self.buffers is not None:
            model.put(~self.parameters, parameters)
            model.buffers[~self.buffers] = buffers

    def spread(self, parameters: Tensor) -> Tensor:
        """Put shared entries (k,) in their places among all, (d,); local entries are zero."""
        if self.parameters is None:
            return parameters
        whole = parameters.new_zeros(self.parameters.shape)
        whole[self.parameters] = parameters
        return whole


class Gradient:
    """The gradients of one step, handled as if they were one flat vector (d,).

    PyTorch hands each parameter's gradient over without a copy. The gradients stay there, because a
    flat gradient would have to be set to zero and added to at every step.
    """

    def __init__(self, model: FlatModel) -> None:
        self._model = model

    def _parts(self) -> list[Tensor]:
        for parameter in self._model._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self._model._parameters]  # type: ignore[misc]

    def add_(self, vector: Tensor, alpha: float = 1.0) -> Gradient:
        """Add ``alpha * vector``, (d,), in place."""
        torch._foreach_add_(self._parts(), self._model.views(vector), alpha=alpha)
        return self

    def mul_(self, factor: float) -> Gradient:
        """Multiply by ``factor``, in place."""
        torch._foreach_mul_(self._parts(), factor)
        return self

    def clip_(self, limit: float) -> None:
        """Scale to 2-norm ``limit`` where it is longer."""
        torch.nn.utils.clip_grad_norm_(self._model._parameters, limit)

    def flat(self) -> Tensor:
        """A copy as one vector, (d,)."""
        vector = torch.empty_like(self._model.vector)
        torch._foreach_copy_(self._model.views(vector), self._parts())
        return vector
