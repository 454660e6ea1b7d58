"""Torchvision's networks with our input channels, small-image stem and detachable head."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from medfl.errors import MedflError
from medfl.models.classifier import Classifier
from medfl.models.torchvision_cpu import import_torchvision

SMALL_IMAGE = 64  # pixels; below, the stem keeps the resolution


@dataclass(frozen=True)
class Backbone:
    """Where a torchvision network keeps the parts that change.

    ``fan`` is the mode of Kaiming's initialisation that torchvision gives this network's
    convolutions; ``pool`` the max-pool of the stem, if any; ``small_kernel`` the stem's kernel
    on small images.
    """

    weights: str
    stem: str
    pool: str | None
    small_kernel: int
    head: str
    fan: str


BACKBONES = {
    "resnet18": Backbone("ResNet18_Weights", "conv1", "maxpool", 3, "fc", "fan_out"),
    "resnet50": Backbone("ResNet50_Weights", "conv1", "maxpool", 3, "fc", "fan_out"),
    "densenet121": Backbone(
        "DenseNet121_Weights", "features.conv0", "features.pool0", 3, "classifier", "fan_in"
    ),
    "efficientnet_b0": Backbone(
        "EfficientNet_B0_Weights", "features.0.0", None, 3, "classifier", "fan_out"
    ),
}


def build_backbone(
    name: str, num_classes: int, in_channels: int, image_size: int, pretrained: bool
) -> Classifier:
    """Build a network of ``BACKBONES``.

    Below 64 pixels a side the stem is a convolution of stride 1 without max-pool (He et al.,
    CVPR 2016, section 4.2, for 32-pixel images): the usual stem would leave 28×28 images a map of
    7×7 before the first block. EfficientNet's 3×3 stem only changes its stride.

    Pretrained weights with other than 3 channels: the stem's kernels are averaged over RGB,
    repeated, and scaled by 3 / in_channels, so that a grey image gives what it gave as RGB.
    ResNet's and DenseNet's small-image stem has another kernel size and starts untrained.

    Raises:
        MedflError: pretrained weights are neither in the cache nor to be downloaded.
    """
    shape = BACKBONES[name]
    models = import_torchvision().models
    builder = getattr(models, name)
    if pretrained:
        weights = getattr(models, shape.weights).DEFAULT
        net = _load_pretrained(builder, name, weights)
        _replace_classes(net, shape.head, num_classes)
    else:
        net = builder(weights=None, num_classes=num_classes)
    small = image_size < SMALL_IMAGE
    _replace_stem(net, shape, in_channels, small, pretrained)
    if small and shape.pool:
        net.set_submodule(shape.pool, nn.Identity())
    head = net.get_submodule(shape.head)
    net.set_submodule(shape.head, nn.Identity())
    return Classifier(net, head)


def _replace_classes(net: nn.Module, head: str, num_classes: int) -> None:
    """Give ``net`` an untrained last layer for ``num_classes``."""
    last = net.get_submodule(head)
    path = f"{head}.{len(last) - 1}" if isinstance(last, nn.Sequential) else head
    old = net.get_submodule(path)
    assert isinstance(old, nn.Linear)
    net.set_submodule(path, nn.Linear(old.in_features, num_classes))


def _replace_stem(
    net: nn.Module, shape: Backbone, in_channels: int, small: bool, pretrained: bool
) -> None:
    old = net.get_submodule(shape.stem)
    assert isinstance(old, nn.Conv2d)
    kernel = shape.small_kernel if small else old.kernel_size[0]
    stride = 1 if small else old.stride[0]
    if (in_channels, kernel, stride) == (old.in_channels, old.kernel_size[0], old.stride[0]):
        return
    new = nn.Conv2d(in_channels, old.out_channels, kernel, stride, kernel // 2, bias=False)
    if pretrained and kernel == old.kernel_size[0]:
        with torch.no_grad():
            new.weight.copy_(adapt_channels(old.weight, in_channels))
    else:
        nn.init.kaiming_normal_(new.weight, mode=shape.fan, nonlinearity="relu")  # type: ignore[arg-type]
    net.set_submodule(shape.stem, new)


def adapt_channels(kernel: torch.Tensor, in_channels: int) -> torch.Tensor:
    """RGB kernels (O, 3, h, w) for ``in_channels``: (O, C, h, w), the same response to grey."""
    if in_channels == kernel.shape[1]:
        return kernel
    mean = kernel.mean(dim=1, keepdim=True) * (kernel.shape[1] / in_channels)
    return mean.expand(-1, in_channels, -1, -1)


def _load_pretrained(builder: Callable[..., nn.Module], name: str, weights: Any) -> nn.Module:
    try:
        return builder(weights=weights, progress=False)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
        state = "could not be read" if file.exists() else "is missing and could not be downloaded"
        raise MedflError(
            f"the pretrained weights of {name} are expected in {file}, which {state} "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Put the "
            f"file there (from {weights.url}), or set TORCH_HOME to a cache that has it, or "
            "turn them off with pretrained: false."
        ) from error
