"""Class probabilities of samples, computed for a few images at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from medfl.federated.data import Change, FederatedData
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


def predict(model: FlatModel, data: FederatedData, rows: Tensor, server: FederatedServer) -> Any:
    """Class probabilities (n, K), float64, of these rows: softmax, or sigmoid for multi-label.

    Raises:
        DivergedError: the model's logits are not finite.
    """
    return probabilities(
        [logits(model, data, prediction_batches(data, rows, server), server)], server
    )


def prediction_batches(data: FederatedData, rows: Tensor, server: FederatedServer) -> list[Tensor]:
    """The rows that go through the network together, one batch after the other."""
    size = images_at_once(data.images.shape[2:], server.config.training.batch_size, server.patch)
    return list(rows.split(size)) if len(rows) else []


@torch.inference_mode()
def logits(
    model: FlatModel,
    data: FederatedData,
    batches: Sequence[Tensor],
    server: FederatedServer,
    change: Change | None = None,
) -> Tensor:
    """What the network gives for batches of rows, (n, K); ``change`` acts on their pixels."""
    model.module.eval()
    parts = []
    with autocast(server.config.training, data.device):
        for rows in data.ahead(batches):
            images = data.inputs(rows, change)
            if server.patch is None:
                parts.append(model.module(images))
            else:
                parts.append(sliding_window(model.module, images, server.patch))
    return torch.cat(parts) if parts else model.vector.new_zeros(0, len(data.info.classes))


@torch.inference_mode()
def probabilities(parts: Sequence[Tensor], server: FederatedServer) -> Any:
    """Class probabilities (n, K), float64, of logits in parts (n, K).

    Raises:
        DivergedError: one of them is not finite.
    """
    together = torch.cat(list(parts)).double()
    if not bool(torch.isfinite(together).all()):
        raise DivergedError(f"round {server.round}: a model's predictions are not finite")
    multilabel = server.data.info.task == "multilabel"
    return (together.sigmoid() if multilabel else together.softmax(dim=1)).cpu().numpy()
