"""The class-balanced loss. Cui, Jia, Lin, Song and Belongie, Class-Balanced Loss Based on Effective
Number of Samples, CVPR 2019.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def class_weights(counts: Tensor, beta: float) -> Tensor:
    """What a sample of each class counts, (C, …) float64, from samples by class (C, …).

    A class of n samples has the effective number E = (1 − βⁿ)/(1 − β), and the weight 1/E, scaled
    so that the weights of the classes that are there add up to their number (section 4.1). A class
    of which there is no sample gets the weight of one with a single sample; it may still come up
    where links change labels.
    """
    effective = (1 - beta ** counts.double().clamp(min=1)) / (1 - beta)
    weights, there = 1 / effective, counts > 0
    return weights * (there.sum(dim=0) / (weights * there).sum(dim=0))


class BalancedLoss:
    """Mean over the batch of w_y times the cross-entropy; softmax, or sigmoid of several labels.

    With several labels each is a problem of two classes, there or not, with weights of its own.

    Args:
        counts: (K,), how many training samples have each label.
        samples: how many there are.
        beta: β, at least 0 and below 1.
        multilabel: whether a sample may have several labels.
    """

    def __init__(self, counts: Tensor, samples: int, beta: float, multilabel: bool) -> None:
        if multilabel:
            self._absent, self._weights = class_weights(
                torch.stack((samples - counts, counts)), beta
            )
        else:
            self._absent, self._weights = None, class_weights(counts, beta)

    def __call__(self, scores: Tensor, labels: Tensor) -> Any:
        """The loss of logits (B, K) and labels, (B,) or (B, K) as in training."""
        weights = self._weights.to(scores.dtype)
        if self._absent is None:
            # Not PyTorch's weighted mean, which divides by the batch's own weights.
            return cross_entropy(scores, labels, weights, reduction="none").mean()
        absent = self._absent.to(scores.dtype)
        odds = weights / absent
        return binary_cross_entropy_with_logits(scores, labels, absent, pos_weight=odds)
