"""The analytic attack gives the image itself, by hand and through the whole engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attack_federations import attacked, federate_small, small_images
from torch import nn

from medfl.config.attack import PROTECTIONS
from medfl.errors import MedflError
from medfl.models.flat import FlatModel
from medfl.privacy.attacks.cases import LINEAR, Case
from medfl.privacy.attacks.linear_layer import invert_linear, linear_layer


def test_one_image_by_hand():
    """Squared error of two units on x = (2, −1): δ = (3, −.5), ∂W = δ xᵀ, ∂b = δ."""
    weight = torch.tensor([[6.0, -3.0], [-1.0, 0.5]])
    bias = torch.tensor([3.0, -0.5])
    assert invert_linear(weight, bias).tolist() == [[2.0, -1.0]] * 3


def test_a_learning_rate_and_several_steps_cancel():
    """Δ = −η (δ_1 + δ_2) xᵀ over two steps on one image."""
    weight, bias = torch.tensor([[-0.7, -1.4]]), torch.tensor([-0.7])
    assert torch.allclose(invert_linear(weight, bias), torch.tensor([[1.0, 2.0]]).double())


def test_of_two_images_a_unit_gives_what_reached_it():
    """δ of image a: (1, 0), of b: (1, 2). Unit 2 saw b alone; unit 1 gives their mean."""
    a, b = torch.tensor([1.0, 5.0]), torch.tensor([3.0, 1.0])
    weight, bias = torch.stack([a + b, 2 * b]), torch.tensor([2.0, 2.0])
    _, first, second = invert_linear(weight, bias).tolist()
    assert first == [2.0, 3.0]
    assert second == [3.0, 1.0]


def test_a_layer_that_did_not_move_says_nothing():
    assert invert_linear(torch.zeros(3, 4), torch.zeros(3)).tolist() == [[0.0] * 4]


def test_a_unit_whose_bias_hardly_moved_is_left_out():
    weight, bias = torch.ones(2, 2), torch.tensor([1.0, 1e-9])
    assert len(invert_linear(weight, bias)) == 2  # together, and unit 1


def test_only_a_first_linear_layer_on_all_pixels_will_do():
    net = FlatModel(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)))
    assert linear_layer(net, 12) == (0, 1)
    for wrong in (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False)),
    ):
        with pytest.raises(MedflError, match="choose mlp or logistic"):
            linear_layer(FlatModel(wrong), 12)


def found(arm: str, network: str = "logistic", batch: int = 1, steps: int = 1, **case):
    small = federate_small(PROTECTIONS.get(arm, {}), network, batch, steps)
    return attacked(small, Case(LINEAR, arm, batch, network, **case))


@pytest.mark.parametrize("network", ["logistic", "mlp"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_engines_own_update_gives_the_image_away(network, steps):
    """Single precision leaves 1e-7 of the weights in an update: far more than 60 dB are right."""
    inverted = found("none", network, steps=steps)
    assert inverted.seen == "update"
    (one,) = inverted.images
    assert np.allclose(one.original, small_images()[0], rtol=0, atol=1e-6)
    assert one.psnr > 60
    assert one.ssim > 0.9999


def test_clipping_alone_protects_nothing():
    assert found("clip").images[0].psnr > 60


def test_noise_hides_the_image_the_more_the_more_there_is():
    psnr = [found(f"clip+noise-{ratio}").images[0].psnr for ratio in ("0.1", "1", "10")]
    assert psnr[0] > 30 > psnr[1] > psnr[2]
    assert psnr[2] < 12  # what an image of random pixels has beside another


def test_under_secure_aggregation_only_the_sum_is_left():
    small = federate_small({"secure_aggregation": {"bound": 10.0}}, "mlp", 1, 1)
    seen = small.federation.seen
    assert seen.models == {}
    assert seen.statistics == {}
    assert seen.mean is not None
    assert attacked(small, Case(LINEAR, "secagg", 1, "mlp")).seen == "sum"


def test_nothing_is_found_where_nothing_was_seen():
    from medfl.privacy.attacks.observer import Observed

    small = federate_small({}, "mlp", 1, 1)
    assert attacked(small, Case(LINEAR, "none", 1, "mlp"), seen=Observed()) is None
