"""Batches of one image: trained where batch norm can take them, refused beforehand elsewhere."""

from __future__ import annotations

import pytest
import torch
from federations import Normed, federation
from torch import nn

from medfl.errors import MedflError
from medfl.federated.single_samples import layer_without_a_deviation
from medfl.models import build_model


class Shrunk(nn.Sequential):
    """A network that leaves one value a channel of an image of 6 × 6 pixels."""

    def __init__(self, norm: type[nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__(nn.Conv2d(1, 4, 6), norm(4), nn.Flatten(), nn.Linear(4, 3))


def test_it_is_refused_before_training_with_the_layer_the_clients_and_what_to_do():
    with pytest.raises(MedflError) as told:
        federation(model=Shrunk, sizes=(8, 1, 12))
    assert str(told.value) == (
        "one training image is all that clients [1] have, and of one image of 6×6 pixels batch "
        "norm `1` sees one value a channel, which has no deviation to train with: raise "
        "`split.min_samples` (in a grid `min_samples`), set `model.normalization: group`, or use "
        "larger images."
    )
    with pytest.raises(MedflError, match=r"batch_size is 1.*set `training.batch_size: 2` or more"):
        federation(model=Shrunk, batch_size=1)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (Shrunk, {"sizes": (9, 5)}),  # batches of 4: the last image joins the one before
        (Normed, {"batch_size": 1}),
        (Normed, {"sizes": (1, 5)}),
        (lambda: Shrunk(lambda channels: nn.GroupNorm(1, channels)), {"batch_size": 1}),
        (Shrunk, {"sizes": (1, 5), "algorithm": "centralized"}),  # all images are one client's
    ],
)
def test_others_train(model, settings):
    trainer = federation(model=model, **settings)
    before = trainer.server.vector.clone()
    trainer.train()
    assert trainer.status == "completed"
    assert torch.isfinite(trainer.server.vector).all()
    assert not torch.equal(trainer.server.vector, before)


def test_looking_moves_and_draws_nothing():
    network, state = Normed(), torch.get_rng_state()
    assert layer_without_a_deviation(network, (1, 6, 6)) is None
    assert torch.equal(torch.get_rng_state(), state)
    norm = network.body[1]
    assert (norm.running_mean.tolist(), norm.running_var.tolist()) == ([0.0] * 4, [1.0] * 4)
    assert norm.num_batches_tracked == 0
    assert not norm._forward_pre_hooks


@pytest.mark.parametrize("name", ["cnn", "resnet18", "densenet121", "efficientnet_b0"])
@pytest.mark.parametrize("size", [8, 32])
def test_it_says_what_pytorch_does_of_medfls_networks(name, size):
    """PyTorch itself refuses such a batch, but only once training has begun."""
    network = build_model(name, 3, 1, size)
    found = layer_without_a_deviation(network, (1, size, size))
    network.train()
    if found is None:
        network(torch.zeros(1, 1, size, size))
    else:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            network(torch.zeros(1, 1, size, size))
    assert (found is None) == (size == 32)
