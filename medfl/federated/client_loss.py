"""A client's mean training loss, measured beside its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from medfl.chain import Drawn
from medfl.federated.patches import sliding_window
from medfl.federated.precision import autocast
from medfl.federated.prediction import prediction_batches
from medfl.models.flat import FlatModel

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient


@torch.inference_mode()
def mean_loss(client: FederatedClient, model: FlatModel) -> tuple[float, int]:
    """F_i of ``model``, over all training samples, and the number of batches that it took.

    The network answers as where it is judged: with its running statistics, without dropout, on
    whole images that are not augmented. Links change the samples as they do in training: a client
    that flips its labels measures the loss of those.
    """
    server, data = client.server, client.data
    samples, total = server.chain.samples(client), 0.0
    parts = prediction_batches(data, client.rows, server)
    model.module.eval()
    with autocast(client.training, data.device):
        for step, rows in enumerate(data.ahead(parts)):
            client.drawn = Drawn(rows, "loss", step)
            images, labels = data.batch(rows, None, None, samples)
            if server.patch is None:
                scores = model.module(images)
            else:
                scores = sliding_window(model.module, images, server.patch)
            total += float(client.criterion(scores, labels)) * len(rows)
    return total / len(client.rows), len(parts)
