"""FedLWS against numpy, on paper, and where it shrinks nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close
from torch import nn

from medfl.chain import PARAMETERS, Message, Part, Total
from medfl.errors import MedflError


class Two(nn.Sequential):
    """Two linear layers, of which the second has a bias."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(36, 4, bias=False), nn.Linear(4, 3))


def test_rounds_by_hand():
    """One layer of weights and bias: γ = ‖x‖ / (‖x‖ + τ ‖Δ‖)."""
    trainer = federation("fedlws", {"beta": 0.5, "min_tau": 0.0, "max_tau": 9.0}, rounds=4)
    problem, factors = Softmax(trainer), []
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            y = np.array([problem.descend(x, problem.batches(k, number)) for k in range(3)])
            updates = y - x
            tau = 0.5 * np.linalg.norm(updates - updates.mean(axis=0), axis=1).mean()
            mean, length = problem.weights @ y, np.linalg.norm(x)
            factors.append(length / (length + tau * np.linalg.norm(mean - x)))
            x = factors[-1] * mean
        assert close(seen, x)
    told = [row["shrinking"] for row in trainer.history[1:]]
    assert told == pytest.approx(factors, rel=1e-12)
    assert max(factors) < 0.999


@pytest.mark.parametrize(
    ("bounds", "tau"), [((0.0, 9.0), 2.0), ((3.0, 9.0), 3.0), ((0.0, 0.5), 0.5)]
)
def test_two_layers_on_paper(bounds, tau):
    """Layer 1: x has length 4, updates ± 1 and the mean 3: τ = 2 · 1, γ = 4 / (4 + 3 τ).

    In layer 2, x is 0: nothing is shrunk.
    """
    params = dict(zip(("min_tau", "max_tau"), bounds, strict=True))
    trainer = federation("fedlws", {"beta": 2.0, **params}, model=Two, sizes=(8, 8))
    server, algorithm = trainer.server, trainer.server.algorithm
    base = server.vector.zero_()
    base[0] = 4.0
    sent = [base.clone(), base.clone()]
    for value, update in zip(sent, (2.0, 4.0), strict=True):
        value[0] += update
        value[144] = 5.0
    parts = [{PARAMETERS: Part(value, 1.0, base.clone())} for value in sent]
    algorithm.weigh([Message(k, one, 1.0, 0.0, 1, 1) for k, one in enumerate(parts)])
    algorithm.step({PARAMETERS: Total((sent[0] + sent[1]) / 2, 2.0, base.clone())})
    factor = 4 / (4 + 3 * tau)
    assert float(server.vector[0]) == pytest.approx(7 * factor, rel=1e-12)
    assert float(server.vector[144]) == 5.0
    assert algorithm.row()["shrinking"] == pytest.approx(factor, rel=1e-12)


def test_without_shrinking_it_is_fedavg_to_the_bit():
    plain = federation(model=Normed)
    none = federation("fedlws", {"beta": 0.0, "min_tau": 0.0, "max_tau": 0.0}, model=Normed)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(none), strict=True))
    assert torch.equal(plain.server.buffers, none.server.buffers)
    assert plain.server.objective == none.server.objective


def test_wrong_bounds_are_refused():
    with pytest.raises(MedflError, match="min_tau is 2, above max_tau, 1"):
        federation("fedlws", {"min_tau": 2.0, "max_tau": 1.0})


def test_where_messages_are_hidden_it_is_refused():
    words = "the algorithm fedlws looks at each client's message by itself, and ckks protects them"
    with pytest.raises(MedflError, match=words):
        federation("fedlws", chain={"links": {"ckks": {}}})
