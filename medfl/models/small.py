"""The small networks, which need nothing but PyTorch."""

from __future__ import annotations

import math

from torch import nn

from medfl.models.classifier import Classifier

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
AVERAGE = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


def cnn(num_classes: int, in_channels: int, image_size: tuple[int, ...]) -> Classifier:
    """Small convolutional network: three layers up to 32 pixels, one more at each doubling.

    The first two layers have stride 2: with pooling in its place a step costs twice as much. Then
    3×3 layers with pooling follow until fewer than 8 pixels a side are left; there pooling is
    worth its cost (macro AUC on PneumoniaMNIST). It comes before batch norm and ReLU, which then
    have a quarter of the pixels. Volumes get the same layers with a depth, by their shortest side.
    """
    dims = len(image_size)
    sequence: list[nn.Module] = [
        *_convolution(dims, in_channels, 16, kernel=5, stride=2),
        *_convolution(dims, 16, 32, kernel=3, stride=2),
    ]
    width, side = 32, min(image_size) // 4
    while width == 32 or side >= 8:
        sequence += _convolution(dims, width, min(2 * width, 128), kernel=3, pool=True)
        width, side = min(2 * width, 128), side // 2
    return Classifier(
        nn.Sequential(*sequence, AVERAGE[dims](1), nn.Flatten()),
        nn.Linear(width, num_classes),
    )


def _convolution(
    dims: int, channels: int, width: int, kernel: int, stride: int = 1, pool: bool = False
) -> list[nn.Module]:
    convolution = CONVOLUTION[dims](channels, width, kernel, stride, kernel // 2, bias=False)
    return [
        convolution,
        *([MAX_POOL[dims](2, ceil_mode=True)] if pool else []),
        BATCH_NORM[dims](width),
        nn.ReLU(inplace=True),
    ]


def mlp(num_classes: int, in_channels: int, image_size: tuple[int, ...]) -> Classifier:
    """One hidden layer of 64 units."""
    hidden = nn.Linear(in_channels * math.prod(image_size), 64)
    return Classifier(
        nn.Sequential(nn.Flatten(), hidden, nn.ReLU(inplace=True)), nn.Linear(64, num_classes)
    )


def logistic(num_classes: int, in_channels: int, image_size: tuple[int, ...]) -> Classifier:
    """Multinomial logistic regression on the pixels."""
    return Classifier(nn.Flatten(), nn.Linear(in_channels * math.prod(image_size), num_classes))
