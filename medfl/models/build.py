"""``build_model``: a network by its name."""

from __future__ import annotations

from typing import Literal

from medfl.config import did_you_mean
from medfl.errors import MedflError
from medfl.models.backbones import BACKBONES, build_backbone
from medfl.models.classifier import Classifier, cnn, logistic, mlp
from medfl.models.fusion import fuse
from medfl.models.normalization import batch_to_group_norm

SMALL_MODELS = {"cnn": cnn, "mlp": mlp, "logistic": logistic}
MODELS = (*SMALL_MODELS, *BACKBONES)
MIN_IMAGE_SIZE = 8


def build_model(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: int | tuple[int, ...],
    normalization: Literal["batch", "group"] = "batch",
    pretrained: bool = False,
    branches: tuple[int, ...] = (),
) -> Classifier:
    """Build a classifier; PyTorch's seed decides its initial weights.

    Args:
        name: one of ``MODELS``.
        num_classes: number of logits.
        in_channels: channels of the images.
        image_size: their side in pixels, or (height, width), or (depth, height, width) for
            volumes; below 64 the stem keeps its resolution.
        normalization: ``group`` puts group norm in batch norm's place (needed under DP-SGD).
        pretrained: start from torchvision's ImageNet weights; the last layer is always new.
        branches: late fusion: how many channels each modality has, in the order of the channels;
            each gets a backbone of its own, and one head sees all their features. Empty: one
            backbone sees all channels (early fusion).

    Returns:
        A model with ``model(x) == model.head(model.forward_features(x))``.

    Raises:
        MedflError: an unknown name, an impossible shape, or weights that cannot be had.
    """
    if name not in MODELS:
        raise MedflError(f"unknown model `{name}`{did_you_mean(name, MODELS)}")
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
    if branches:
        parts = [
            build_model(name, num_classes, channels, sides, normalization, pretrained)
            for channels in branches
        ]
        return fuse(parts, branches, num_classes)
    if name in BACKBONES:
        model = build_backbone(name, num_classes, in_channels, sides, pretrained)
    elif pretrained:
        raise MedflError(
            f"model {name} has no pretrained weights: set pretrained: false, or choose one of "
            f"{', '.join(BACKBONES)}"
        )
    else:
        model = SMALL_MODELS[name](num_classes, in_channels, sides)
    if normalization == "group":
        batch_to_group_norm(model)
    return model
