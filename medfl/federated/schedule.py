"""The local learning rate of each round."""

from __future__ import annotations

import math

from medfl.config import FederatedConfig


def learning_rate(config: FederatedConfig, round_number: int) -> float:
    """The local learning rate η of a round (from 1), constant within it."""
    training, rounds = config.training, config.federated_learning.rounds
    rate, warmup = training.learning_rate, training.warmup_rounds
    if round_number <= warmup:
        return rate * round_number / (warmup + 1)
    done = round_number - 1
    if training.lr_schedule == "cosine":
        progress = (done - warmup) / max(1, rounds - warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * progress))
    if training.lr_schedule == "exponential":
        return float(rate * training.lr_gamma ** (done / rounds))
    if training.lr_schedule == "step":
        passed = sum(done >= round(part * rounds, 6) for part in training.lr_milestones)
        return float(rate * training.lr_gamma**passed)
    return rate
