"""The local optimisers against torch.optim, to the bit, and without PyTorch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from medfl.federated.optimizer import SGD, Adam

STEPS = 5


def walk(kind, dtype, **settings) -> list[torch.Tensor]:
    """Parameters after some steps; the second one has a gradient in odd steps only."""
    generator = torch.Generator().manual_seed(1)
    parameters = [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((7, 3), (5,), (2, 2, 3))
    ]
    optimizer = kind(parameters, **settings)
    for number in range(STEPS):
        for index, parameter in enumerate(parameters):
            gradient = torch.randn(parameter.shape, generator=generator, dtype=dtype)
            parameter.grad = None if index == 1 and number % 2 == 0 else gradient
        optimizer.step()
    return parameters


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_torchs_to_the_bit(momentum, decay, dtype):
    ours = walk(SGD, dtype, learning_rate=0.1, momentum=momentum, weight_decay=decay)
    theirs = walk(torch.optim.SGD, dtype, lr=0.1, momentum=momentum, weight_decay=decay)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_is_torchs_to_the_bit(decoupled, decay, dtype):
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    ours = walk(Adam, dtype, learning_rate=0.1, weight_decay=decay, decoupled=decoupled)
    theirs = walk(kind, dtype, lr=0.1, weight_decay=decay)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_step_starts_no_compiler():
    program = """
import sys, torch
from medfl.federated.optimizer import SGD, Adam
for kind in (SGD, Adam):
    x = torch.ones(3, requires_grad=True)
    x.square().sum().backward()
    kind([x], 0.1).step()
    assert not torch.equal(x, torch.ones(3))
assert "torch._dynamo" not in sys.modules, "a step imported torch._dynamo"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
