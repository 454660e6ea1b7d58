"""A classifier in two parts, so that its features are to be had without a hook."""

from __future__ import annotations

import torch
from torch import nn


class Classifier(nn.Module):
    """Logits as ``head(backbone(x))``: features are to be had without a hook.

    Args:
        backbone: maps images (N, C, H, W) or volumes (N, C, D, H, W) to features (N, F).
        head: maps features (N, F) to logits (N, K).
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of images ``x`` (N, C, …): what the head sees."""
        features: torch.Tensor = self.backbone(x)
        return features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of images ``x`` (N, C, …)."""
        logits: torch.Tensor = self.head(self.forward_features(x))
        return logits
