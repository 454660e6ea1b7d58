"""``build_model``: a network by its name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from torch import nn

from medfl.errors import MedflError
from medfl.models.classifier import Classifier
from medfl.models.fusion import fuse
from medfl.models.normalization import batch_to_group_norm
from medfl.models.own import build_own
from medfl.models.registry import MODELS, check_model

MIN_IMAGE_SIZE = 8


def build_model(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: int | tuple[int, ...],
    normalization: Literal["batch", "group"] = "batch",
    pretrained: bool = False,
    branches: tuple[int, ...] = (),
    params: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a classifier; PyTorch's seed decides its initial weights.

    A person's own network is a class or a function that is called as ``Net(num_classes=…,
    in_channels=…, image_size=(height, width), **params)``, for volumes with ``image_size=(depth,
    height, width)``, and gives an ``nn.Module`` from images (N, C, …) to logits (N, K). If it takes
    ``pretrained``, it gets that too. MOON needs a ``forward_features(images)`` and a
    ``head``, late fusion a ``medfl.models.Classifier``.

    Args:
        name: one of ``MODELS``, or ``my_package.module:MyNet``.
        num_classes: number of logits.
        in_channels: channels of the images.
        image_size: their side in pixels, or (height, width), or (depth, height, width) for
            volumes; below 64 the stem of torchvision's networks keeps its resolution.
        normalization: ``group`` puts group norm in batch norm's place (needed under DP-SGD).
        pretrained: start from torchvision's ImageNet weights; the last layer is always new.
        branches: for late fusion, how many channels each modality has, in the order of the
            channels: each gets a backbone of its own, and one head sees all their features. If it
            is empty, one backbone sees all channels (early fusion).
        params: further arguments of a person's own network.

    Returns:
        The network. A built-in one is a ``Classifier``, whose ``model(x)`` is
        ``model.head(model.forward_features(x))``.

    Raises:
        MedflError: the name is unknown, a shape is impossible, weights cannot be had, or a
            person's own network cannot be called so or gives other logits.
    """
    if normalization not in ("batch", "group"):
        raise MedflError(f"normalization is `{normalization}`; it must be batch or group")
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) not in (2, 3):
        raise MedflError(f"model {name}: image_size is {sides}; needed are two or three sides")
    if num_classes < 1 or in_channels < 1 or min(sides) < MIN_IMAGE_SIZE:
        shown = str(sides[0]) if len(set(sides)) == 1 else "×".join(map(str, sides))
        raise MedflError(
            f"model {name}: {num_classes} classes on {in_channels}-channel images of "
            f"{shown} pixels; needed are at least 1, 1 and {MIN_IMAGE_SIZE}"
        )
    if branches and (len(branches) < 2 or min(branches) < 1 or sum(branches) != in_channels):
        raise MedflError(
            f"model {name}: late fusion takes the channels of two or more modalities, which "
            f"together are the images' {in_channels}; got {list(branches)}"
        )
    params = params or {}
    check_model(name, params, f"model {name}")
    build = MODELS.load(name)
    if pretrained and "pretrained" not in inspect.signature(build).parameters:
        raise MedflError(
            f"model {name} has no pretrained weights: set pretrained: false, or choose one of "
            f"{', '.join(_with_weights())}"
        )
    nets = []
    for number, channels in enumerate(branches or (in_channels,)):
        arguments = {"num_classes": num_classes, "in_channels": channels, "image_size": sides}
        given = {**arguments, **({"pretrained": True} if pretrained else {}), **params}
        net = build(**given) if name in MODELS else build_own(name, build, given, number)
        nets.append(net)
    model = nets[0]
    if branches:
        model = fuse([_parted(name, net) for net in nets], branches, num_classes)
    if normalization == "group":
        batch_to_group_norm(model)
    return model


def _with_weights() -> list[str]:
    found = {name: inspect.signature(MODELS.load(name)).parameters for name in MODELS}
    return [name for name, parameters in found.items() if "pretrained" in parameters]


def _parted(name: str, model: nn.Module) -> Classifier:
    if not isinstance(model, Classifier):
        raise MedflError(
            f"late fusion joins the backbones of its models under one head, and `{name}` is no "
            "medfl.models.Classifier(backbone, head): give it these two, or set fusion: early."
        )
    return model
