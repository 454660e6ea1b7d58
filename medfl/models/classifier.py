"""A classifier in two parts: a backbone, and a head on its features."""

from __future__ import annotations

import torch
from torch import nn


class Classifier(nn.Module):
    """Logits are ``head(backbone(x))``, so that the features in between can be read without a hook.

    Args:
        backbone: maps images (N, C, H, W) or volumes (N, C, D, H, W) to features (N, F).
        head: maps features (N, F) to logits (N, K).
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """The features (N, F) of images ``x`` (N, C, …), which the head gets."""
        features: torch.Tensor = self.backbone(x)
        return features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of images ``x`` (N, C, …)."""
        logits: torch.Tensor = self.head(self.forward_features(x))
        return logits
