"""FedProx and FedNova against FedAvg and against their papers' formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close


def test_fedprox_without_its_term_is_fedavg():
    plain, prox = federation(model=Normed), federation("fedprox", {"mu": 0.0}, model=Normed)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(prox), strict=True))
    assert torch.equal(plain.server.buffers, prox.server.buffers)


@pytest.mark.parametrize("mu", [0.5, 3.0])
def test_fedprox_by_hand(mu):
    trainer = federation("fedprox", {"mu": mu}, local_epochs=2)
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            locals_ = [
                problem.descend(
                    x, problem.batches(k, number), correction=lambda y, x=x: mu * (y - x)
                )
                for k in range(3)
            ]
            x = problem.weights @ np.array(locals_)
        assert close(seen, x)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_fednova_with_equal_steps_is_fedavg(momentum):
    settings = {"local_steps": 5, "momentum": momentum, "model": Normed}
    plain, nova = federation(**settings), federation("fednova", **settings)
    for a, b in zip(models(plain), models(nova), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-10)
    assert torch.allclose(plain.server.buffers, nova.server.buffers, rtol=0, atol=1e-10)


def path_length(steps: int, momentum: float, shrink: float) -> float:
    """‖a‖₁ by the paper's recursions, one at a time; with both, by the steps' own matrix."""
    if not shrink:  # a_{k} = ρ a_{k−1} + 1, summed
        a, total = 0.0, 0.0
        for _ in range(steps):
            a = momentum * a + 1
            total += a
        return total
    if not momentum:  # a ← a (1 − ηµ) + 1
        a = 0.0
        for _ in range(steps):
            a = a * (1 - shrink) + 1
        return a
    # A constant gradient of 1: velocity' = ρ v + 1 + ηµ-pull of the distance already gone.
    transition = np.array([[momentum, -shrink, 1.0], [momentum, 1 - shrink, 1.0], [0, 0, 1.0]])
    return float((np.linalg.matrix_power(transition, steps) @ [0, 0, 1.0])[1])


@pytest.mark.parametrize(("momentum", "mu"), [(0.0, 0.0), (0.9, 0.0), (0.0, 2.0), (0.6, 2.0)])
@pytest.mark.parametrize("clients", [None, 2])
def test_fednova_with_unequal_steps_is_the_normalised_average(momentum, mu, clients):
    trainer = federation(
        "fednova",
        {"mu": mu},
        local_epochs=2,
        momentum=momentum,
        clients_per_round=clients,
        lr_schedule="exponential",
    )
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            p, d, a = problem.share(chosen), [], []
            eta = 0.1 * 0.1 ** ((number - 1) / 3)
            for k in chosen:
                steps = problem.batches(k, number)
                y = problem.descend(x, steps, eta, momentum, lambda y, x=x: mu * (y - x))
                a.append(path_length(len(steps), momentum, eta * mu))
                d.append((y - x) / a[-1])
            assert len(set(a)) > 1
            x = x + (p @ a) * (p @ np.array(d))
        assert close(seen, x)


def test_fednova_with_unequal_steps_is_not_fedavg():
    plain, nova = federation(), federation("fednova")
    assert float((models(plain)[-1] - models(nova)[-1]).abs().max()) > 1e-3
