"""Looks whether a batch's gradient is made of the gradients that its samples have by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medfl.chain.link import Backward
from medfl.errors import MedflError
from medfl.models.flat import FlatModel, Gradient
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients

# Of the larger gradient's norm: what rounding does, at most in bfloat16 and where a ReLU switches.
_ROUNDING = {torch.float64: 1e-6, torch.float32: 2e-3}
_ANY_ROUNDING = 0.1


def check_alone(
    sampler: SampleGradients, model: FlatModel, images: Tensor, labels: Tensor, backward: Backward
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
        apart = _apart(sampler, model, images, labels, backward)
        limit = _ROUNDING.get(model.vector.dtype, _ANY_ROUNDING)
        if apart > limit:
            # Two images are computed in another order than one. A ReLU near 0 switches by that
            # rounding alone, which moves the gradient of a deep network by more than rounding. And
            # mixed precision, which leaves doubles alone, rounds far more.
            apart, limit = _apart_in_double(sampler, model, images, labels, backward, apart)
    finally:
        model.module.train(mode)
    if apart > limit:
        raise MedflError(
            "the gradient of a sample in a batch is not that of the sample alone, so that "
            "clipping it would bound nothing: the loss must be the mean of a loss of each "
            "sample, the network must not mix samples, and each parameter must belong to a "
            "layer that is called as a module."
        )


def _apart(
    sampler: SampleGradients, model: FlatModel, images: Tensor, labels: Tensor, backward: Backward
) -> float:
    """How far the samples' gradients are from those of each alone, of the longer one's norm.

    0 where one of them is not finite: the step leaves such a sample out.
    """
    together, _ = sampler.of(images, labels, backward)
    found = 0.0
    for place in range(len(images)):
        model.zero_grad()
        backward(images[place : place + 1], labels[place : place + 1])
        alone = Gradient(model).flat()
        model.zero_grad()
        one = _flat(model, sampler, [part[place] for part in together])
        size = max(float(alone.norm()), float(one.norm()))
        if bool(alone.isfinite().all() and one.isfinite().all()) and size:
            found = max(found, float((alone - one).norm()) / size)
    return found


def _apart_in_double(
    sampler: SampleGradients,
    model: FlatModel,
    images: Tensor,
    labels: Tensor,
    backward: Backward,
    apart: float,
) -> tuple[float, float]:
    """The same in double precision, and its limit; ``apart`` itself where the loss has none."""
    targets = labels.double() if labels.is_floating_point() else labels
    try:
        with model.in_double():
            found = _apart(sampler, model, images.double(), targets, backward)
    except RuntimeError:  # a loss of a person's own with tensors in single precision
        return apart, _ANY_ROUNDING
    return found, _ROUNDING[torch.float64]


def _flat(model: FlatModel, sampler: SampleGradients, parts: Sequence[Tensor]) -> Tensor:
    """One sample's gradient as one vector, (d,); entries that are not trained are zero."""
    vector = torch.zeros_like(model.vector)
    trained = dict(zip(sampler.parameters, parts, strict=True))
    for parameter, view in zip(model.module.parameters(), model.views(vector), strict=True):
        if parameter in trained:
            view.copy_(trained[parameter].view(parameter.shape))
    return vector
