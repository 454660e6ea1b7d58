"""Class probabilities of samples, computed for a few images at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medfl.federated.data import FederatedData
from medfl.federated.patches import sliding_window
from medfl.federated.precision import autocast
from medfl.federated.refused import DivergedError
from medfl.federated.server import FederatedServer
from medfl.models.flat import FlatModel

MOST_IMAGES = 256  # in one forward pass
MOST_PIXELS = 2**20  # that a network sees at once: 64 channels of them are 256 MiB
MOST_INPUT = 2**25  # pixels of whole images that patches are cut from: 128 MiB


def images_at_once(
    sides: Sequence[int], batch_size: int, patch: Sequence[int] | None = None
) -> int:
    """How many images of these sides go through the network together.

    The run alone decides it, not the memory that happens to be free, so that a run gives the same
    bits each time. As many as in a training batch always fit, because training needs more memory.
    """
    pixels = math.prod(sides)
    network = max(batch_size, MOST_PIXELS // math.prod(patch or sides))
    return max(1, min(MOST_IMAGES, network, MOST_INPUT // pixels))


@torch.inference_mode()
def predict(model: FlatModel, data: FederatedData, rows: Tensor, server: FederatedServer) -> Any:
    """Class probabilities (n, K), float64, of these rows: softmax, or sigmoid for multi-label."""
    if len(rows) == 0:
        return np.zeros((0, len(data.info.classes)))
    model.module.eval()
    parts = []
    training = server.config.training
    batch = images_at_once(data.images.shape[2:], training.batch_size, server.patch)
    with autocast(training, data.device):
        for part in data.ahead(rows.split(batch)):
            images = data.inputs(part)
            if server.patch is None:
                parts.append(model.module(images))
            else:
                parts.append(sliding_window(model.module, images, server.patch))
    logits = torch.cat(parts).double()
    if not bool(torch.isfinite(logits).all()):
        raise DivergedError(f"round {server.round}: a model's predictions are not finite")
    multilabel = data.info.task == "multilabel"
    return (logits.sigmoid() if multilabel else logits.softmax(dim=1)).cpu().numpy()
