"""The flat vector: one memory, two ways to look at it."""

from __future__ import annotations

import copy

import pytest
import torch
from federations import Normed
from torch import nn

from medfl.models.flat import FlatModel, Gradient


def test_vector_and_parameters_are_the_same_memory():
    module = Normed()
    before = nn.utils.parameters_to_vector(module.parameters()).detach().clone()
    model = FlatModel(module)
    assert torch.equal(model.vector, before)
    model.vector.mul_(2)
    assert torch.equal(nn.utils.parameters_to_vector(module.parameters()), 2 * before)
    with torch.no_grad():
        module.head.bias.fill_(7)
    assert bool((model.vector[-3:] == 7).all())


def test_an_optimiser_moves_the_vector():
    model = FlatModel(Normed())
    before = model.vector.clone()
    model.module(torch.randn(4, 1, 6, 6)).sum().backward()
    flat = Gradient(model).flat()
    torch.optim.SGD(model.module.parameters(), lr=0.5).step()
    assert torch.allclose(model.vector, before - 0.5 * flat)


def test_a_stretch_of_the_vector_lies_as_its_parameter_does():
    conv = nn.Conv2d(2, 1, (1, 3), bias=False)  # one kernel, two channels of three columns
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]]]]))
    assert FlatModel(copy.deepcopy(conv)).vector.tolist() == [1, 2, 3, 10, 20, 30]
    model = FlatModel(conv.to(memory_format=torch.channels_last))
    assert model.vector.tolist() == [1, 10, 2, 20, 3, 30]
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert conv.weight[0, 1, 0].tolist() == [10, 20, 30]
    assert model.named_vector()["weight"].is_contiguous()
    # Each weight's gradient is its own input, of one column: the order of the vector again.
    conv(torch.tensor([[[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]]]])).sum().backward()
    gradient = Gradient(model)
    assert gradient.flat().tolist() == [1, 10, 2, 20, 3, 30]
    gradient.add_(torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0, 0.0]))
    assert conv.weight.grad[0, 0, 0].tolist() == [1, 2, 8]


def test_buffers_are_statistics_only():
    model = FlatModel(Normed())
    assert torch.equal(model.buffers, torch.tensor([0.0] * 4 + [1.0] * 4))
    model.module.train()(torch.randn(4, 1, 6, 6))
    norm = model.module.body[1]
    assert torch.equal(model.buffers, torch.cat([norm.running_mean, norm.running_var]))
    assert not torch.equal(model.buffers, torch.tensor([0.0] * 4 + [1.0] * 4))
    model.buffers.zero_()
    assert bool((norm.running_var == 0).all())
    assert norm.num_batches_tracked.item() == 1
    assert model.named_vector()["body.1.num_batches_tracked"].item() == 0


def test_load_copies():
    model, vector, buffers = FlatModel(Normed()), torch.randn(243), torch.randn(8)
    model.load(vector, buffers)
    vector.zero_()
    buffers.zero_()
    assert float(model.vector.abs().min()) > 0
    assert float(model.buffers.abs().min()) > 0


def odd():
    """A network whose parameters have 1, 10, 2 and 3 values, which a GPU wants 4 apart."""
    return nn.Sequential(nn.Conv1d(1, 1, 1), nn.Linear(5, 2), nn.BatchNorm1d(3))


def test_parameters_lie_where_a_gpu_reads_them_at_once():
    model = FlatModel(odd(), aligned=16)
    values = torch.arange(1.0, 21)
    model.load(values, model.buffers)
    parameters = list(model.module.parameters())
    assert [p.data_ptr() % 16 for p in parameters] == [0] * 6
    assert [p.flatten().tolist()[0] for p in parameters] == [1, 2, 3, 13, 15, 18]
    assert torch.equal(model.vector, values)
    mask = torch.zeros(20, dtype=torch.bool)
    mask[[0, 2, 19]] = True
    model.put(mask, torch.tensor([-1.0, -2.0, -3.0]))
    assert model.vector.tolist() == [-1, 2, -2, *range(4, 20), -3]
    assert FlatModel(odd()).vector.shape == (20,)


def test_a_clone_is_independent():
    model = FlatModel(Normed())
    other = model.clone()
    assert torch.equal(model.vector, other.vector)
    other.vector.add_(1)
    assert not torch.equal(model.vector, other.vector)
    assert torch.equal(other.vector, nn.utils.parameters_to_vector(other.module.parameters()))


def test_masks_follow_the_names():
    model = FlatModel(Normed())
    parameters, buffers = model.mask({"body.1.bias", "body.1.running_var"})
    # conv 4·9 weights and 4 biases, norm 4 + 4, head 3·64 + 3
    assert parameters.nonzero().flatten().tolist() == [44, 45, 46, 47]
    assert len(parameters) == 40 + 8 + 195
    assert buffers.tolist() == [False] * 4 + [True] * 4
    assert not any(mask.any() for mask in model.mask(set()))


def test_gradient_arithmetic():
    torch.manual_seed(0)
    model = FlatModel(Normed())
    model.module(torch.randn(4, 1, 6, 6)).square().sum().backward()
    gradient = Gradient(model)
    before, other = gradient.flat(), torch.randn(243)
    gradient.add_(other, alpha=-0.5)
    assert torch.allclose(gradient.flat(), before - 0.5 * other)
    gradient.clip_(0.1)
    assert float(gradient.flat().norm()) == pytest.approx(0.1, rel=1e-4)
    short = gradient.flat()
    gradient.clip_(5.0)
    assert torch.allclose(gradient.flat(), short)


def test_a_parameter_without_gradient_counts_as_zero():
    model = FlatModel(Normed())
    gradient = Gradient(model)
    assert torch.equal(gradient.flat(), torch.zeros(243))
    gradient.add_(torch.ones(243))
    assert torch.equal(gradient.flat(), torch.ones(243))


def test_a_shared_parameter_is_there_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(5, 5, bias=False)
            self.two = nn.Linear(5, 5, bias=False)
            self.two.weight = self.one.weight

    model = FlatModel(copy.deepcopy(Tied()))
    assert len(model.vector) == 25
    assert len(model.mask({"one.weight"})[0]) == 25
    with pytest.raises(ValueError, match="without parameters"):
        FlatModel(nn.ReLU())
