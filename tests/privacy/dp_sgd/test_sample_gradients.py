"""Gradients sample by sample, against a loop that takes PyTorch's own of each sample alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from medfl.errors import MedflError
from medfl.models import build_model
from medfl.privacy.dp_sgd.sample_gradients import SampleGradients


def backward_of(module):
    def backward(images, labels):
        loss = cross_entropy(module(images), labels)
        loss.backward()
        return loss.detach()

    return backward


def one_by_one(module, images, labels):
    found = []
    for place in range(len(images)):
        module.zero_grad()
        cross_entropy(module(images[place : place + 1]), labels[place : place + 1]).backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
        found.append(torch.cat([grad.reshape(-1) for grad in grads]))
    module.zero_grad()
    return torch.stack(found)


def agree(module, shape, classes=3, samples=3):
    """Whether both are equal to rounding; the network is left as it was."""
    torch.manual_seed(1)
    module = module.double()
    images = torch.randn(samples, *shape, dtype=torch.float64)
    labels = torch.arange(samples) % classes
    before = [p.clone() for p in module.parameters()]
    parts, loss = SampleGradients(module).of(images, labels, backward_of(module))
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert not any(m._forward_hooks for m in module.modules())
    assert torch.allclose(loss, cross_entropy(module(images), labels), rtol=1e-12)
    expected = one_by_one(module, images, labels)
    scale = float(expected.abs().max())
    assert scale > 0
    return float((torch.cat(parts, dim=1) - expected).abs().max()) <= 1e-12 * max(1.0, scale)


@pytest.mark.parametrize(
    "name",
    ["logistic", "mlp", "cnn", "resnet18", pytest.param("densenet121", marks=pytest.mark.slow)],
)
def test_built_in_networks_with_group_norm(name):
    torch.manual_seed(0)
    assert agree(build_model(name, 3, 2, 8, "group"), (2, 8, 8))


def test_efficientnet_and_its_depthwise_convolutions():
    torch.manual_seed(0)
    model = build_model("efficientnet_b0", 3, 1, 8, "group")
    model.eval()  # stochastic depth draws anew in every call
    assert agree(model, (1, 8, 8))


@pytest.mark.parametrize("name", ["cnn", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_volumes(name):
    torch.manual_seed(0)
    assert agree(build_model(name, 3, 1, (8, 8, 8), "group"), (1, 8, 8, 8), samples=2)


class Head(nn.Module):
    """A layer before a classifier that knows its width."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.layer(x).flatten(1))


class Scale(nn.Module):
    """A person's own layer, of which Opacus has no formula."""

    def __init__(self, width):
        super().__init__()
        self.factor = nn.Parameter(torch.rand(width))

    def forward(self, x):
        return (x * self.factor).tanh()


@pytest.mark.parametrize(
    ("layer", "shape", "width"),
    [
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (4, 11), 6 * 5),
        (nn.Conv2d(4, 8, (3, 2), (2, 1), (1, 0), 2, groups=4, bias=False), (4, 7, 6), 8 * 3 * 4),
        (nn.Conv2d(2, 3, 3, padding="same", padding_mode="reflect"), (2, 5, 5), 75),
        (nn.Conv3d(2, 4, (1, 3, 2), (1, 2, 1), groups=2), (2, 3, 5, 4), 4 * 3 * 2 * 3),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.LayerNorm([4, 3, 3])), (1, 3, 3), 36),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.InstanceNorm2d(4, affine=True)), (1, 3, 3), 36),
        (Scale(5), (5,), 5),
        (nn.Sequential(nn.Linear(5, 5), nn.ReLU(inplace=True), Scale(5)), (5,), 5),
    ],
)
def test_layers(layer, shape, width):
    torch.manual_seed(0)
    assert agree(Head(layer, width), shape)


class Twice(nn.Module):
    """A layer that is called twice, and a first output that is changed in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        y = self.first(x).relu_()
        return self.second(self.first(y) + y)


def test_a_layer_that_is_called_twice_and_changes_in_place():
    torch.manual_seed(0)
    assert agree(Twice(), (4,))


def test_frozen_and_unused_parameters():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    module.unused = nn.Linear(2, 2).double()
    module[0].requires_grad_(False)
    module.forward = lambda x: module[2](module[1](module[0](x)))
    images, labels = torch.randn(2, 4, dtype=torch.float64), torch.tensor([0, 2])
    parts, _ = SampleGradients(module).of(images, labels, backward_of(module))
    assert [tuple(part.shape) for part in parts] == [(2, 12), (2, 3), (2, 4), (2, 2)]
    assert float(parts[0].abs().max()) > 0
    assert float(parts[2].abs().max()) == float(parts[3].abs().max()) == 0
    assert not module[0].weight.requires_grad


class Late(nn.Module):
    """Changes what a layer has read, once it has read it."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        y = x.clone()
        z = self.first(y)
        y.mul_(2)
        return self.second(z + y)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Late(), "layer `first` (Linear): gradients of single samples cannot be taken"),
        (nn.LSTM(4, 3), "the whole network` (LSTM)"),
    ],
)
def test_layers_that_cannot_be_taken(module, words):
    with pytest.raises(MedflError) as error:
        SampleGradients(module).of(torch.randn(2, 4), torch.tensor([0, 1]), backward_of(module))
    assert words in str(error.value)
    assert all(p.requires_grad for p in module.parameters())
