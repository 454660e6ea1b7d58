"""Finds batches of one image that batch norm cannot take, before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import nn

from medfl.errors import MedflError
from medfl.federated.client import FederatedClient
from medfl.federated.server import FederatedServer
from medfl.models.normalization import BATCH_NORMS

NAMED = 5  # clients that the message names


def check_single_samples(server: FederatedServer, clients: Sequence[FederatedClient]) -> None:
    """Refuse batches of one image where the network makes a single value of a channel of it.

    Batch norm then has a mean and no deviation. A last batch of one image joins the one before it,
    so this takes ``batch_size: 1``, or a client that has one training image.

    Raises:
        MedflError: there are such batches; the message names the layer, the clients and ways out.
    """
    alone = [client.id for client in clients if _in_ones(client)]
    if not alone:
        return
    channels, *sides = server.data.images.shape[1:]
    sides = list(server.patch or sides)
    layer = layer_without_a_deviation(server.model.module, (channels, *sides))
    if layer is None:
        return
    if server.config.training.batch_size == 1:
        who = "training.batch_size is 1"
        way = "set `training.batch_size: 2` or more"
    else:
        more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
        who = f"one training image is all that clients {alone[:NAMED]}{more} have"
        way = "raise `split.min_samples` (in a grid `min_samples`)"
    raise MedflError(
        f"{who}, and of one image of {'×'.join(map(str, sides))} pixels batch norm `{layer}` sees "
        f"one value a channel, which has no deviation to train with: {way}, set "
        "`model.normalization: group`, or use larger images."
    )


def _in_ones(client: FederatedClient) -> bool:
    return client.training.batch_size == 1 or len(client.rows) == 1


def layer_without_a_deviation(module: nn.Module, shape: Sequence[int]) -> str | None:
    """The name of the first batch norm that sees one value a channel of one image; None for none.

    Only shapes are reckoned, in a copy without values, so that nothing is drawn or counted.

    Args:
        module: a network.
        shape: of an image, (channels, …).
    """
    if not any(isinstance(layer, BATCH_NORMS) for layer in module.modules()):
        return None
    found: list[str] = []

    def look(name: str, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].numel() == inputs[0].shape[1]:
            found.append(name)

    module = copy.deepcopy(module).to("meta", torch.float32).train()
    for name, layer in module.named_modules():
        if isinstance(layer, BATCH_NORMS):
            layer.register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs))
    with suppress(Exception):  # the norm's own error, or own code that cannot run without values
        module(torch.zeros(1, *shape, device="meta"))
    return found[0] if found else None
