"""Looks whether a batch's gradient is made of the gradients that its samples have by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from medfl.chain.link import Backward
from medfl.errors import MedflError
from medfl.models.flat import FlatModel, Gradient
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients

if TYPE_CHECKING:
    from medfl.chain.roles import Client

# Of the larger gradient's norm: what rounding does, also to the bfloat16 of mixed precision.
_ROUNDING = {torch.float64: 1e-6, torch.float32: 2e-3}
_MIXED = 0.1


def check_alone(
    sampler: SampleGradients,
    client: Client,
    model: FlatModel,
    images: Tensor,
    labels: Tensor,
    backward: Backward,
) -> None:
    """Refuse a loss or network in which samples of a batch act on each other (``MedflError``).

    The gradients of two images (2, C, …), taken together, are compared with PyTorch's own of each
    alone.
    This also finds parameters that no layer's call uses, and layers whose formula is another's.
    Dropout is off meanwhile; the model and its random streams stay as they are.
    """
    mode = model.module.training
    model.module.eval()
    try:
        together, _ = sampler.of(images, labels, backward)
        for place in range(2):
            model.zero_grad()
            backward(images[place : place + 1], labels[place : place + 1])
            alone = Gradient(model).flat()
            model.zero_grad()
            found = _flat(model, sampler, [one[place] for one in together])
            size = max(float(alone.norm()), float(found.norm()))
            rounding = _ROUNDING.get(alone.dtype, _MIXED)
            if client.training.mixed_precision != "off" and alone.is_cuda:
                rounding = _MIXED
            diverged = not bool(alone.isfinite().all() or found.isfinite().all())
            if not diverged and not float((alone - found).norm()) <= rounding * size:
                raise MedflError(
                    "the gradient of a sample in a batch is not that of the sample alone, so that "
                    "clipping it would bound nothing: the loss must be the mean of a loss of each "
                    "sample, the network must not mix samples, and each parameter must belong to a "
                    "layer that is called as a module."
                )
    finally:
        model.module.train(mode)


def _flat(model: FlatModel, sampler: SampleGradients, parts: Sequence[Tensor]) -> Tensor:
    """One sample's gradient as one vector, (d,); entries that are not trained are zero."""
    vector = torch.zeros_like(model.vector)
    trained = dict(zip(sampler.parameters, parts, strict=True))
    for parameter, view in zip(model.module.parameters(), model.views(vector), strict=True):
        if parameter in trained:
            view.copy_(trained[parameter].view(parameter.shape))
    return vector
