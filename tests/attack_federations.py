"""Small federations that are attacked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from federations import small_store
from torch.nn.functional import cross_entropy

from medfl.attacked import Federation, federate, run_configs
from medfl.config.attack import Optimisation
from medfl.privacy.attacks.simulated import LocalTraining

FAST = Optimisation(iterations=2)
CLIENTS, SIZE, RATE = 3, 8, 0.05


def small() -> Any:
    """Random images of 8 pixels a side."""
    return small_store(size=SIZE)


def small_images() -> Any:
    """Its images, (n, 1, 8, 8) from 0 to 1."""
    return small().images.astype(np.float32).astype(np.float64) / 255


def federate_small(
    links: dict[str, Any],
    network: str,
    batch: int,
    steps: int = 1,
    normalization: str = "batch",
    algorithm: str = "fedavg",
) -> tuple[Federation, torch.Tensor, torch.Tensor, LocalTraining]:
    """One round; client k holds images k·B to k·B + B − 1. Its images, labels and training too."""
    run = {
        "federated_learning": {"rounds": 1, "local_steps": steps},
        "model": {"name": network, "normalization": normalization},
        "training": {"batch_size": batch, "learning_rate": RATE, "device": "cpu"},
    }
    config = run_configs("phantom", ["here"], {"here": links}, CLIENTS, 0, run)["here"]
    if algorithm != "fedavg":
        learning = config.federated_learning.model_copy(update={"algorithm": algorithm})
        config = config.model_copy(update={"federated_learning": learning})
    held = [np.arange(k * batch, (k + 1) * batch) for k in range(CLIENTS)]
    federation = federate(small(), held, config, seed=0)
    images = torch.stack([federation.inputs(rows) for rows in held])
    labels = torch.stack([federation.data.labels[torch.from_numpy(rows)] for rows in held])
    return federation, images, labels, LocalTraining(steps, RATE, cross_entropy)
