"""A small network that gradients say much about: LeNet as Zhu, Liu and Han, Deep Leakage from
Gradients, NeurIPS 2019, attack it, with tanh in place of the sigmoid and normalised layers.

No layer throws places away, as pooling does, and nothing saturates at once. So it is the worst case
for whoever sends updates: what protects here protects elsewhere.
"""

from __future__ import annotations

from torch import nn

from medfl.models import Classifier

WIDTH = 12
STRIDES = (2, 2, 1)


def lenet(num_classes: int, in_channels: int, image_size: tuple[int, ...]) -> Classifier:
    """Three 5×5 layers of 12 channels, and a linear layer on all of their values."""
    layers: list[nn.Module] = []
    width, sides = in_channels, image_size
    for stride in STRIDES:
        layers += [nn.Conv2d(width, WIDTH, 5, stride, 2), nn.BatchNorm2d(WIDTH), nn.Tanh()]
        width, sides = WIDTH, tuple(-(-side // stride) for side in sides)
    height, breadth = sides
    return Classifier(
        nn.Sequential(*layers, nn.Flatten()), nn.Linear(WIDTH * height * breadth, num_classes)
    )
