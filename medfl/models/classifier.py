"""A classifier in two parts, and the small networks that need nothing but PyTorch."""

from __future__ import annotations

import torch
from torch import nn


class Classifier(nn.Module):
    """Logits as ``head(backbone(x))``: features are to be had without a hook.

    Args:
        backbone: maps images (N, C, H, W) to features (N, F).
        head: maps features (N, F) to logits (N, K).
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of images ``x`` (N, C, H, W): what the head sees."""
        features: torch.Tensor = self.backbone(x)
        return features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of images ``x`` (N, C, H, W)."""
        logits: torch.Tensor = self.head(self.forward_features(x))
        return logits


def cnn(num_classes: int, in_channels: int, image_size: int) -> Classifier:
    """Small convolutional network: three layers up to 32 pixels, one more at each doubling.

    Two layers of stride 2 (a step costs half of what it does with pooling there), then 3×3 layers
    with pooling down to 8 pixels a side or fewer, where it is worth its price (macro AUC on
    PneumoniaMNIST). Pooling comes before batch norm and ReLU, which then have a quarter to do.
    """
    sequence: list[nn.Module] = [
        *_convolution(in_channels, 16, kernel=5, stride=2),
        *_convolution(16, 32, kernel=3, stride=2),
    ]
    width, side = 32, image_size // 4
    while width == 32 or side >= 8:
        sequence += _convolution(width, min(2 * width, 128), kernel=3, pool=True)
        width, side = min(2 * width, 128), side // 2
    return Classifier(
        nn.Sequential(*sequence, nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(width, num_classes),
    )


def _convolution(
    channels: int, width: int, kernel: int, stride: int = 1, pool: bool = False
) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    return [
        convolution,
        *([nn.MaxPool2d(2, ceil_mode=True)] if pool else []),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]


def mlp(num_classes: int, in_channels: int, image_size: int) -> Classifier:
    """One hidden layer of 64 units."""
    hidden = nn.Linear(in_channels * image_size**2, 64)
    return Classifier(
        nn.Sequential(nn.Flatten(), hidden, nn.ReLU(inplace=True)), nn.Linear(64, num_classes)
    )


def logistic(num_classes: int, in_channels: int, image_size: int) -> Classifier:
    """Multinomial logistic regression on the pixels."""
    return Classifier(nn.Flatten(), nn.Linear(in_channels * image_size**2, num_classes))
