"""Server optimisers against numpy, and away from running variances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close


def rules(name, eta, beta1, beta2, tau):
    """x ← x + step(Δ) of Hsu et al. 2019 and Reddi et al. 2021, algorithm 2."""
    memory = {"m": 0.0, "v": tau**2}

    def momentum(delta):
        memory["m"] = beta1 * memory["m"] + delta
        return eta * memory["m"]

    def adaptive(delta):
        memory["m"] = beta1 * memory["m"] + (1 - beta1) * delta
        v = memory["v"] + np.zeros_like(delta)
        if name == "fedadagrad":
            v = v + delta**2
        elif name == "fedadam":
            v = beta2 * v + (1 - beta2) * delta**2
        else:
            v = v - (1 - beta2) * delta**2 * np.sign(v - delta**2)
        memory["v"] = v
        return eta * memory["m"] / (np.sqrt(v) + tau)

    return momentum if name == "fedavgm" else adaptive


@pytest.mark.parametrize("clients", [None, 2])
@pytest.mark.parametrize(
    ("name", "params", "numbers"),
    [
        ("fedavgm", {"server_learning_rate": 0.7, "server_momentum": 0.6}, (0.7, 0.6, 0, 0)),
        ("fedavgm", {}, (1.0, 0.9, 0, 0)),
        ("fedadam", {}, (0.03, 0.9, 0.99, 1e-3)),
        (
            "fedadam",
            {"server_learning_rate": 0.1, "beta1": 0.5, "beta2": 0.8, "tau": 0.02},
            (0.1, 0.5, 0.8, 0.02),
        ),
        ("fedyogi", {}, (0.03, 0.9, 0.99, 1e-3)),
        (
            "fedyogi",
            {"server_learning_rate": 0.1, "beta1": 0.5, "beta2": 0.3, "tau": 0.02},
            (0.1, 0.5, 0.3, 0.02),
        ),
        ("fedadagrad", {}, (0.03, 0.0, 0, 1e-3)),
        ("fedadagrad", {"beta1": 0.4, "tau": 0.05}, (0.03, 0.4, 0, 0.05)),
    ],
)
def test_rounds_by_hand(name, params, numbers, clients):
    trainer = federation(name, params, clients_per_round=clients, rounds=4)
    problem, step = Softmax(trainer), rules(name, *numbers)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            y = [problem.descend(x, problem.batches(k, number)) for k in chosen]
            x = x + step(problem.share(chosen) @ np.array(y) - x)
        assert close(seen, x)


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "fedyogi", "fedadagrad"])
def test_statistics_are_only_averaged(name):
    # After one round from the same start the clients' statistics are those of FedAvg.
    plain, adaptive = (federation(kind, model=Normed, rounds=1) for kind in ("fedavg", name))
    plain.train()
    adaptive.train()
    assert torch.equal(plain.server.buffers, adaptive.server.buffers)
    if name != "fedavgm":  # whose first step is FedAvg's
        assert not torch.equal(plain.server.vector, adaptive.server.vector)
    longer = federation(name, model=Normed, rounds=8, learning_rate=0.5)
    longer.train()
    variances = longer.server.buffers[4:]
    assert longer.status == "completed"
    assert bool((variances > 0).all())
    for state in longer.server.algorithm.state.values():
        assert state.shape == longer.server.vector.shape
