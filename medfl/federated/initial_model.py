"""The network that a run begins with."""

from __future__ import annotations

import torch

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.data import FederatedData
from medfl.models import build_model
from medfl.streams import stream_seed


def initial_model(
    config: FederatedConfig, data: FederatedData, sides: tuple[int, ...]
) -> torch.nn.Module:
    """The configured network, with the weights that the run's seed gives it.

    Args:
        config: the run.
        data: its images, whose channels and classes the network has.
        sides: of what it sees: of patches or of whole images, in pixels.

    Raises:
        MedflError: for late fusion of a single modality, and as ``build_model``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "init"))
        return build_model(
            config.model.name,
            num_classes=len(data.info.classes),
            in_channels=data.images.shape[1],
            image_size=sides,
            normalization=config.model.normalization,
            pretrained=config.model.pretrained,
            branches=_branches(config, data),
            params=config.model.params,
        )


def _branches(config: FederatedConfig, data: FederatedData) -> tuple[int, ...]:
    """How many channels each modality has, for late fusion; empty for early fusion."""
    if config.model.fusion == "early":
        return ()
    branches = tuple(data.info.branches)
    if len(branches) < 2:
        raise MedflError(
            f"model.fusion is late, but the images of {data.info.name} have a single modality: "
            "set fusion: early, or prepare a dataset with several modalities."
        )
    return branches
