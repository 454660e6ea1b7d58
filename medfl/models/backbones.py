"""Torchvision's networks, for any number of channels, small images, and volumes."""

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
from medfl.models.volumes import DenseFeatures, draw_again, inflate, inflate_convolution

SMALL_IMAGE = 64  # pixels a side; for images below it the stem keeps the resolution


@dataclass(frozen=True)
class Backbone:
    """Where a torchvision network keeps the parts that change.

    Attributes:
        weights: torchvision's enumeration of its pretrained weights.
        stem: the first convolution, by its name in the network.
        pool: the max-pool of the stem, by name; None where there is none.
        small_kernel: the stem's kernel size on small images.
        head: what follows the features, by name.
        fan: the mode of Kaiming's initialisation that torchvision gives the convolutions.
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


def resnet18(
    num_classes: int, in_channels: int, image_size: tuple[int, ...], pretrained: bool = False
) -> Classifier:
    """ResNet-18 (He et al., CVPR 2016)."""
    return _build("resnet18", num_classes, in_channels, image_size, pretrained)


def resnet50(
    num_classes: int, in_channels: int, image_size: tuple[int, ...], pretrained: bool = False
) -> Classifier:
    """ResNet-50 (He et al., CVPR 2016)."""
    return _build("resnet50", num_classes, in_channels, image_size, pretrained)


def densenet121(
    num_classes: int, in_channels: int, image_size: tuple[int, ...], pretrained: bool = False
) -> Classifier:
    """DenseNet-121 (Huang et al., CVPR 2017)."""
    return _build("densenet121", num_classes, in_channels, image_size, pretrained)


def efficientnet_b0(
    num_classes: int, in_channels: int, image_size: tuple[int, ...], pretrained: bool = False
) -> Classifier:
    """EfficientNet-B0 (Tan & Le, ICML 2019)."""
    return _build("efficientnet_b0", num_classes, in_channels, image_size, pretrained)


def _build(
    name: str, num_classes: int, in_channels: int, sides: tuple[int, ...], pretrained: bool
) -> Classifier:
    """Build a network of ``BACKBONES`` for images or volumes of these ``sides``.

    Below 64 pixels a side the stem is a convolution of stride 1 without max-pool (He et al.,
    CVPR 2016, section 4.2, for 32-pixel images): the usual stem would leave 28×28 images a map of
    7×7 before the first block. EfficientNet's 3×3 stem only changes its stride.

    Where pretrained weights meet other than 3 channels, the stem's kernels are averaged over RGB,
    repeated, and scaled by 3 / in_channels, so that a grey image gives what it gave as RGB.
    ResNet's and DenseNet's stem for small images has another kernel size and starts untrained.

    On volumes every layer gets a depth (``volumes.inflate``), with weights drawn anew unless they
    are pretrained. The stem looks at each axis by itself: 7 voxels, stride 2 and max-pool along
    those of 64 voxels and more, 3 voxels and stride 1 along the others, so that 16×112×112 has
    the 3×7×7 stem of R3D-18 (Tran et al., CVPR 2018). ``resnet18`` then has the layers of
    torchvision's ``r3d_18`` weight for weight; what differs is the max-pool after the stem (which
    r3d_18 lacks; there is none either below 64 voxels) and the head's place.

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
    if len(sides) == 3:
        _make_deep(net, shape, in_channels, sides, pretrained)
    else:
        small = min(sides) < SMALL_IMAGE
        _replace_stem(net, shape, in_channels, small, pretrained)
        if small and shape.pool:
            net.set_submodule(shape.pool, nn.Identity())
    head = net.get_submodule(shape.head)
    net.set_submodule(shape.head, nn.Identity())
    if len(sides) == 3 and name.startswith("densenet"):
        net = DenseFeatures(net.get_submodule("features"))
    return Classifier(net, head)


def _make_deep(
    net: nn.Module, shape: Backbone, in_channels: int, sides: tuple[int, ...], pretrained: bool
) -> None:
    """Inflate ``net``, and fit its stem to each side of the volumes."""
    flat = net.get_submodule(shape.stem)
    assert isinstance(flat, nn.Conv2d)
    inflate(net)
    large = [side >= SMALL_IMAGE for side in sides]
    full = flat.kernel_size[0]
    kernel = tuple(full if big else shape.small_kernel for big in large)
    stride = tuple(flat.stride[0] if big else 1 for big in large)
    padding = tuple(size // 2 for size in kernel)
    stem = nn.Conv3d(in_channels, flat.out_channels, kernel, stride, padding, bias=False)  # type: ignore[arg-type]
    net.set_submodule(shape.stem, stem)
    if shape.pool:
        pool: nn.Module = nn.Identity()
        if any(large):
            size, step, edge = zip(*[(3, 2, 1) if big else (1, 1, 0) for big in large], strict=True)
            pool = nn.MaxPool3d(size, step, edge)
        net.set_submodule(shape.pool, pool)
    if not pretrained:
        draw_again(net, shape.fan)
    elif kernel[1:] == flat.kernel_size:
        with torch.no_grad():
            deep = inflate_convolution(flat, depth=kernel[0]).weight
            stem.weight.copy_(adapt_channels(deep, in_channels))
    else:
        draw_again(stem, shape.fan)


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
    """Turn RGB kernels (O, 3, …) into (O, C, …) that respond to grey images as before."""
    if in_channels == kernel.shape[1]:
        return kernel
    mean = kernel.mean(dim=1, keepdim=True) * (kernel.shape[1] / in_channels)
    return mean.expand(-1, in_channels, *kernel.shape[2:])


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
