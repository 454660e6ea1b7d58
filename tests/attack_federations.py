"""Small federations that are attacked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from federations import small_store
from torch.nn.functional import cross_entropy

from medfl.config.attack import Optimisation
from medfl.observed.attacked import Federation, federate, run_configs
from medfl.privacy.attacks.cases import Case
from medfl.privacy.attacks.inversion import reconstruct
from medfl.privacy.attacks.simulated import LocalTraining

FAST = Optimisation(iterations=2)
CLIENTS, SIZE, RATE = 3, 8, 0.05


def small() -> Any:
    """Random images of 8 pixels a side."""
    return small_store(size=SIZE)


def small_images() -> Any:
    """Its images, (n, 1, 8, 8) from 0 to 1."""
    return small().images.astype(np.float32).astype(np.float64) / 255


class SmallFederation(NamedTuple):
    """A federation of one round, and each client's images, labels and training."""

    federation: Federation
    images: torch.Tensor
    labels: torch.Tensor
    training: LocalTraining


def federate_small(
    links: dict[str, Any],
    network: str,
    batch: int,
    steps: int = 1,
    normalization: str = "batch",
    algorithm: str = "fedavg",
) -> SmallFederation:
    """One round; client k holds images k·B to k·B + B − 1."""
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
    return SmallFederation(federation, images, labels, LocalTraining(steps, RATE, cross_entropy))


def attacked(
    small: SmallFederation,
    case: Case,
    settings: Optimisation = FAST,
    seed: int = 0,
    **options: Any,
) -> Any:
    """What ``reconstruct`` makes of a federation; ``options`` stand in for its own arguments."""
    server = small.federation.server
    given = {
        "seen": small.federation.seen,
        "images": small.images,
        "labels": small.labels,
        "training": small.training,
        "settings": settings,
        "generator": torch.Generator().manual_seed(seed),
    }
    return reconstruct(case, server.model, server.shared, **(given | options))
