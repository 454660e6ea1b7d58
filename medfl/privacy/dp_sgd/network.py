"""What a network must be so that the gradient of a sample is that sample's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medfl.errors import MedflError
from medfl.models.normalization import BATCH_NORMS

if TYPE_CHECKING:
    from medfl.chain.roles import Server

_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def check_network(name: str, server: Server) -> None:
    """Refuse layers that mix or measure samples, and local parts without noise (MedflError)."""
    for place, layer in server.model.module.named_modules():
        if isinstance(layer, BATCH_NORMS):
            raise MedflError(
                f"{name}: the layer `{place}` is a batch norm, which mixes the samples of a batch, "
                "so that nothing bounds what one adds: set model.normalization to group."
            )
        if isinstance(layer, _INSTANCE_NORMS) and layer.track_running_stats:
            raise MedflError(
                f"{name}: the layer `{place}` keeps running statistics of the images, which no "
                "noise hides: build it with track_running_stats=False."
            )
    plain = server.algorithm.unshared_descents
    if plain and server.algorithm.local_names(server.model):
        raise MedflError(
            f"{name}: the algorithm keeps a part of the shared network local and trains without "
            f"noise in its descent {plain[0]}: a local part that was trained without noise tells "
            "the shared part's gradient of the images. Leave `unshared_descents` out, so that all "
            "descents are noised."
        )


def check_statistics(name: str, before: Tensor, after: Tensor) -> None:
    """Refuse a network whose statistics (buffers) a step has moved (``MedflError``)."""
    if not torch.equal(before, after):
        raise MedflError(
            f"{name}: a step changes statistics (buffers) of the network, which no noise hides: "
            "use layers that keep none."
        )
