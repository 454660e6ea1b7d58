"""What a client's batches hold: images that are cut, changed by links, and augmented at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from medfl.augment import Augmenter
from medfl.chain import Drawn
from medfl.federated.data import Crop
from medfl.federated.patches import random_patch
from medfl.streams import torch_stream

if TYPE_CHECKING:
    from medfl.federated.client import FederatedClient


def batches_of(
    client: FederatedClient, parts: Iterator[Tensor], purpose: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of each batch of store rows; ``client.drawn`` says which it is.

    Args:
        client: whose they are.
        parts: (B,) rows of each batch; there may be none in it.
        purpose: the descent, which names the random streams.
    """
    crop, augment = crop_for(client, purpose), augmenter_for(client, purpose)
    data, samples = client.data, client.server.chain.samples(client)
    for step, rows in enumerate(data.ahead(parts)):
        client.drawn = Drawn(rows, purpose, step)
        if len(rows):
            yield data.batch(rows, augment, crop, samples)
        else:  # which is a step for a link that draws at random
            yield data.batch(rows)


def crop_for(client: FederatedClient, purpose: str) -> Crop | None:
    """What cuts random patches, on a stream of its own; None where images stay whole."""
    server, patch = client.server, client.server.patch
    if patch is None:
        return None
    generator = torch_stream(server.config.seed, server.round, client.id, purpose, "patch")
    return lambda images: random_patch(images, patch, generator)


def augmenter_for(client: FederatedClient, purpose: str) -> Augmenter | None:
    """What changes training images, on a stream of its own; None where nothing does."""
    server, recipe = client.server, client.server.augmentation
    if recipe is None:
        return None
    generator = torch_stream(server.config.seed, server.round, client.id, purpose, "augment")
    return Augmenter(recipe, len(client.data.info.classes), generator)
