"""Late fusion: a backbone for each modality, and one head on all their features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from medfl.models.classifier import Classifier


class LateFusion(nn.Module):
    """Backbones side by side, each on its own channels; their features are concatenated.

    Args:
        backbones: map (N, C_i, …) to features (N, F_i).
        channels: how many channels each of them takes, in the order of the images' channels.
    """

    def __init__(self, backbones: Sequence[nn.Module], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(backbones)
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, ΣF_i) of images (N, ΣC_i, …)."""
        parts = x.split(self.channels, dim=1)
        return torch.cat([net(part) for net, part in zip(self.branches, parts, strict=True)], 1)


def fuse(models: Sequence[Classifier], channels: tuple[int, ...], num_classes: int) -> Classifier:
    """Make one classifier out of several: their backbones under one head.

    The head is that of the first one, with what it does before its last layer (EfficientNet's
    dropout). A new ``nn.Linear`` over all features takes the place of the last layer.
    """
    head = models[0].head
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    width = 0
    for model in models:
        last = model.head[-1] if isinstance(model.head, nn.Sequential) else model.head
        assert isinstance(last, nn.Linear)
        width += last.in_features
    layers[-1] = nn.Linear(width, num_classes)
    backbone = LateFusion([model.backbone for model in models], channels)
    return Classifier(backbone, nn.Sequential(*layers) if len(layers) > 1 else layers[0])
