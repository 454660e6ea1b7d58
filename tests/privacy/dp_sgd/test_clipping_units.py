"""The sum over units, by hand and against numpy; in pieces it is the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from medfl.privacy.dp_sgd.clipping import clipped_sum
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients


class Dot(nn.Module):
    """Its loss is w · x, so that a sample's gradient is the sample itself."""

    def __init__(self, size):
        super().__init__()
        self.row = nn.Linear(size, 1, bias=False).double()

    def forward(self, x):
        return self.row(x).squeeze(1)


def summed(images, units, bound, limit=100):
    module = Dot(len(images[0]))

    def backward(images, labels):
        loss = module(images).mean()
        loss.backward()
        return loss.detach()

    x = torch.tensor(images, dtype=torch.float64)
    parts, loss = clipped_sum(
        *(SampleGradients(module), x, torch.zeros(len(x)), torch.tensor(units)),
        *(bound, limit, backward),
    )
    expected = module(x).mean().detach()
    assert torch.allclose(loss, expected, rtol=1e-12, equal_nan=True)
    return parts[0].tolist(), loss


def test_images_by_hand():
    """(3, 4) has norm 5 and becomes (.6, .8); (0, .5) is short and stays."""
    assert summed([[3.0, 4.0], [0.0, 0.5]], [0, 1], 1.0)[0] == pytest.approx([0.6, 1.3])


def test_patients_by_hand():
    """Patient 0 has (6, 0) and (0, 8): the mean (3, 4) is clipped, not each image.

    Patient 1 has (.3, 0) alone. Clipping the images would give (1 + .3, 1).
    """
    images, units = [[6.0, 0.0], [0.3, 0.0], [0.0, 8.0]], [0, 1, 0]
    assert summed(images, units, 1.0)[0] == pytest.approx([0.6 + 0.3, 0.8])
    assert summed(images, units, None)[0] == pytest.approx([3.3, 4.0])


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 30])
def test_pieces_give_the_same_sum(limit):
    """Seven patients with one to nine images in any order, against numpy, whatever fits at once."""
    random = np.random.default_rng(3)
    units = random.permutation(np.repeat(np.arange(7), [1, 2, 3, 9, 1, 4, 5]))
    images = random.normal(size=(len(units), 4))
    expected = np.zeros(4)
    for unit in range(7):
        mean = images[units == unit].mean(axis=0)
        expected += mean * min(1.0, 0.8 / np.linalg.norm(mean))
    found, _ = summed(images.tolist(), units.tolist(), 0.8, limit)
    assert np.abs(np.array(found) - expected).max() <= 1e-14


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_adds_nothing(bad):
    """min(1, C/NaN) is 1, so a NaN would pass the bound."""
    found, _ = summed([[3.0, 4.0], [bad, 1.0]], [0, 1], 1.0)
    assert found == pytest.approx([0.6, 0.8])


def test_the_norm_is_one_over_all_layers():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 0, 1, 1])

    def backward(images, labels):
        loss = cross_entropy(module(images), labels)
        loss.backward()
        return loss.detach()

    parts, _ = clipped_sum(SampleGradients(module), x, y, torch.arange(5), 0.5, 2, backward)
    expected = torch.zeros(26, dtype=torch.float64)
    for place in range(5):
        module.zero_grad()
        cross_entropy(module(x[place : place + 1]), y[place : place + 1]).backward()
        flat = torch.cat([p.grad.reshape(-1) for p in module.parameters()])
        assert flat.norm() > 0.5
        expected += flat * 0.5 / flat.norm()
    assert torch.allclose(torch.cat(parts), expected, rtol=0, atol=1e-14)
