"""The gradient of each sample of a batch by itself, in one pass, by Opacus' formulas for layers.

Opacus' own hooks wrap each layer in an autograd function, whose outputs must not be changed in
place as ResNet and DenseNet do. Here a hook on each layer's output takes its gradient, which
PyTorch gives as it was before any such change. While samples' gradients are taken, parameters need
no gradient: PyTorch then computes none of the sums that nobody would read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medfl.chain.link import Backward
from medfl.errors import MedflError
from medfl.privacy.quiet_opacus import import_opacus

Sampler = Callable[[Any, list[Tensor], Tensor], dict[Any, Tensor]]


@dataclass
class _Pass:
    """One pass of a batch through a layer: what went in, and the gradient of what came out."""

    layer: nn.Module
    inputs: list[Tensor]
    versions: list[int]
    gradient: Tensor


class SampleGradients:
    """Takes the gradients of the single samples of batches, in a network as it is.

    Attributes:
        parameters: the parameters that are trained, in the module's order.
    """

    def __init__(self, module: nn.Module) -> None:
        known = import_opacus("grad_sample").GradSampleModule.GRAD_SAMPLERS
        self._samplers: dict[type, Sampler] = {
            **known,
            **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), convolution_gradients),
        }
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self._layers = dict(self._find(module, ""))

    def _find(self, module: nn.Module, name: str) -> Iterator[tuple[nn.Module, str]]:
        """The layers with parameters of their own; what lies within one is taken with it."""
        if any(p.requires_grad for p in module.parameters(recurse=False)):
            yield module, name
            if type(module) not in self._samplers:
                return
        for word, child in module.named_children():
            yield from self._find(child, f"{name}.{word}".lstrip("."))

    def of(self, images: Tensor, labels: Tensor, backward: Backward) -> tuple[list[Tensor], Tensor]:
        """The samples' gradients, (B, numel) for each of ``parameters``, and the mean loss.

        ``backward`` computes the mean loss of the samples and its gradient.

        Raises:
            MedflError: the gradients of a layer cannot be taken sample by sample.
        """
        passes: list[_Pass] = []
        with self._watched(passes):
            loss = backward(images, labels)
        found: dict[Tensor, Tensor] = {}
        with torch.no_grad():
            while passes:  # what a layer's pass held is freed before the next one
                for parameter, gradient in self._of_pass(passes.pop(), len(images)).items():
                    known = found.get(parameter)
                    found[parameter] = gradient if known is None else known + gradient
        size = len(images)
        return [
            found[p].reshape(size, -1) if p in found else p.new_zeros(size, p.numel())
            for p in self.parameters
        ], loss

    @contextmanager
    def _watched(self, passes: list[_Pass]) -> Iterator[None]:
        hook = partial(self._seen, passes)
        handles = [layer.register_forward_hook(hook) for layer in self._layers]
        try:
            for parameter in self.parameters:
                parameter.requires_grad_(False)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for parameter in self.parameters:
                parameter.requires_grad_(True)

    def _seen(
        self, passes: list[_Pass], layer: nn.Module, given: tuple[Any, ...], output: Any
    ) -> Tensor | None:
        if not torch.is_grad_enabled():
            return None
        if not isinstance(output, Tensor) or not all(isinstance(one, Tensor) for one in given):
            raise self._refusal(layer, "it takes or gives something else than tensors")
        inputs, changed = [one.detach() for one in given], None
        versions = [one._version for one in given]
        if not output.requires_grad:  # nothing before it is trained: its gradient begins here
            output = output.detach().requires_grad_()
            changed = output.clone()  # which may be changed in place

        def take(gradient: Tensor) -> None:
            passes.append(_Pass(layer, inputs, versions, gradient.detach()))

        output.register_hook(take)
        return changed

    def _of_pass(self, one: _Pass, size: int) -> dict[Tensor, Tensor]:
        layer = one.layer
        if [tensor._version for tensor in one.inputs] != one.versions:
            raise self._refusal(layer, "its input is changed in place after it was read")
        kind = next(p.dtype for p in layer.parameters() if p.requires_grad)
        inputs = [x.to(kind) if x.is_floating_point() else x for x in one.inputs]
        gradient = one.gradient.to(kind) * size  # the loss is the mean over the samples
        try:
            return self._sampler(layer)(layer, inputs, gradient)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError) as error:
            raise self._refusal(layer, str(error).splitlines()[0] if str(error) else "") from error
        finally:
            vars(layer).pop("ft_compute_sample_grad", None)

    def _sampler(self, layer: nn.Module) -> Sampler:
        any_layer: Sampler = import_opacus("grad_sample.functorch").ft_compute_per_sample_gradient
        plain = getattr(layer, "padding_mode", "zeros") == "zeros"
        if not plain or isinstance(getattr(layer, "padding", None), str):
            return any_layer
        return self._samplers.get(type(layer), any_layer)

    def _refusal(self, layer: nn.Module, reason: str) -> MedflError:
        name = self._layers[layer] or "the whole network"
        return MedflError(
            f"the layer `{name}` ({type(layer).__name__}): gradients of single samples cannot be "
            f"taken, which differential privacy of images and patients needs ({reason}). Build the "
            "network of PyTorch's own layers, each called as a module."
        )


def convolution_gradients(
    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, inputs: list[Tensor], gradient: Tensor
) -> dict[Any, Tensor]:
    """The gradients of a convolution sample by sample, group by group.

    Opacus' own formula multiplies every group with every other and keeps the diagonal, which for
    depthwise convolutions takes a thousand times the memory.
    """
    (images,), size = inputs, len(gradient)
    where: dict[str, Any] = {
        key: getattr(layer, key) for key in ("kernel_size", "padding", "stride", "dilation")
    }
    if isinstance(layer, nn.Conv1d):  # a row of height 1
        where = {key: (int(key != "padding"), *value) for key, value in where.items()}
        images = images.unsqueeze(-2)
    if isinstance(layer, nn.Conv3d):
        patches = import_opacus("utils.tensor_utils").unfold3d(images, **where)
    else:
        patches = nn.functional.unfold(images, **where)
    left = gradient.reshape(size * layer.groups, layer.out_channels // layer.groups, -1)
    right = patches.reshape(size * layer.groups, -1, patches.shape[-1])
    found: dict[Any, Tensor] = {}
    if layer.weight.requires_grad:
        found[layer.weight] = torch.bmm(left, right.transpose(1, 2)).view(size, -1)
    if layer.bias is not None and layer.bias.requires_grad:
        found[layer.bias] = gradient.flatten(2).sum(2)
    return found
