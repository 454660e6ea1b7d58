"""SCAFFOLD: its first round, its invariant, and whole runs written out in numpy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from federations import Normed, federation, judge_nothing, models, small_store
from softmax import Softmax, close

from medfl.algorithms.scaffold import Scaffold
from medfl.federated.data import batches
from medfl.streams import torch_stream


@pytest.mark.parametrize("option", [1, 2])
def test_the_first_round_is_fedavg(option):
    settings = {"rounds": 1, "weighting": "uniform", "model": Normed}
    plain = federation(**settings)
    controlled = federation("scaffold", {"option": option}, **settings)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(controlled), strict=True))
    assert torch.equal(plain.server.buffers, controlled.server.buffers)


@pytest.mark.parametrize(
    ("weighting", "control", "weights"),
    [
        ("uniform", "equal", [1, 1, 1, 1, 1]),
        ("samples", "equal", [1, 1, 1, 1, 1]),
        ("uniform", "federation", [1, 1, 1, 1, 1]),
        ("samples", "federation", [8, 16, 12, 6, 20]),
    ],
)
@pytest.mark.parametrize("option", [1, 2])
def test_the_server_variate_is_the_mean_of_all_clients(option, weighting, control, weights):
    trainer = federation(
        "scaffold",
        {"option": option, "control_weights": control},
        sizes=(8, 16, 12, 6, 20),
        clients_per_round=2,
        rounds=6,
        weighting=weighting,
    )
    absent = []

    def check(row):
        zeros = torch.zeros_like(trainer.server.vector)
        own = [client.state.get("c", zeros) for client in trainer.clients]
        c = trainer.server.algorithm.state["c"]
        mean = sum(w * v for w, v in zip(weights, own, strict=True)) / sum(weights)
        assert torch.allclose(c, mean, rtol=0, atol=1e-12)
        assert row["round"] == 0 or float(c.abs().max()) > 1e-3
        absent.append(sum("c" not in client.state for client in trainer.clients))

    trainer.on_round = check
    trainer.train()
    assert absent[0] == 5
    assert 0 < absent[1] < 5, "the test must see rounds in which some clients have no variate"


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("option", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "clients", "rate", "weighting", "control"),
    [
        ((8, 12), None, 1.0, "uniform", "federation"),
        ((8, 16, 12, 6), 2, 0.7, "samples", "federation"),
        ((8, 16, 12, 6), 2, 0.7, "samples", "equal"),
    ],
)
def test_rounds_by_hand(option, sizes, clients, rate, weighting, control, momentum):
    trainer = federation(
        "scaffold",
        {"option": option, "server_learning_rate": rate, "control_weights": control},
        sizes=sizes,
        rounds=4,
        local_epochs=2,
        clients_per_round=clients,
        weighting=weighting,
        momentum=momentum,
        lr_schedule="exponential",
    )
    problem, n = Softmax(trainer), len(sizes)
    x = problem.start
    c, own = np.zeros_like(x), np.zeros((n, len(x)))
    counts = (
        problem.weights if (weighting, control) == ("samples", "federation") else np.ones(n) / n
    )
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            p = problem.share(chosen) if weighting == "samples" else [0.5, 0.5]
            eta = 0.1 * 0.1 ** ((number - 1) / 4)
            moves, before = [], own.copy()
            for k in chosen:
                steps = problem.batches(k, number)
                y = problem.descend(x, steps, eta, momentum, lambda y, v=c - own[k]: v)
                if option == 1:
                    new = problem.gradient(x, problem.rows(k))
                else:
                    # Gradient number j acts through all later velocities: Σ ρ^i times.
                    reach = sum(momentum**i for j in range(len(steps)) for i in range(j + 1))
                    new = own[k] - c + (x - y) / (eta * reach)
                moves.append(y - x)
                own[k] = new
            x = x + rate * (p @ np.array(moves))
            c = c + counts @ (own - before)
        assert close(seen, x)
    assert close(trainer.server.algorithm.state["c"], c)
    for k, client in enumerate(trainer.clients):
        assert close(client.state["c"], own[k])


def test_option_1_takes_its_gradient_over_shuffled_batches():
    """A store may be sorted by class: in its order batch norm would see one class at a time."""
    store = small_store(60)
    store.labels[:24] = np.repeat([0, 1, 2], 8)
    trainer = federation("scaffold", {"option": 1}, sizes=(24,), model=Normed, store=store)
    client, model = trainer.clients[0], trainer.server.model
    trainer.server.round = 3
    found, count = client.full_gradient(model)
    parts = list(batches(client.rows, 4, torch_stream(0, 3, 0, "gradient"), 1, None))
    assert count == len(parts) == 6
    assert max(len(set(store.labels[part])) for part in parts) == 3
    assert torch.equal(torch.cat(parts).sort().values, client.rows)  # each image once
    module = copy.deepcopy(model.module).train()
    for part in parts:
        images, labels = trainer.data.batch(part)
        (torch.nn.functional.cross_entropy(module(images), labels) / len(parts)).backward()
    wanted = torch.cat([p.grad.flatten() for p in module.parameters()])
    assert torch.allclose(found, wanted, rtol=0, atol=1e-12)
    trainer.server.round = 4
    assert not torch.allclose(found, client.full_gradient(model)[0], rtol=0, atol=1e-6)


def test_option_1_takes_the_gradient_of_its_own_loss():
    class Doubled(Scaffold):
        def loss(self, model, images, labels, client):
            return 2 * super().loss(model, images, labels, client)

    plain = federation("scaffold", {"option": 1}, rounds=1)
    doubled = federation("scaffold", {"option": 1}, rounds=1)
    doubled.server.algorithm.__class__ = Doubled
    for trainer in (plain, doubled):
        trainer.train()
    for one, other in zip(plain.clients, doubled.clients, strict=True):
        assert torch.allclose(2 * one.state["c"], other.state["c"], rtol=0, atol=1e-12)


def test_two_clients_two_rounds_on_parabolas():
    """All numbers by hand: f_1 = (θ − 1)²/2, f_2 = (θ + 3)²; x⁰ = 0, η = 1/4, K = 2.

    Round 1 (c = c_i = 0): client 1 has gradient θ − 1: 0 → 1/4 → 7/16; client 2 has 2(θ + 3):
    0 → −3/2 → −9/4. x¹ = (7/16 − 36/16)/2 = −29/32. c_1 = (0 − 7/16)/(2/4) = −7/8,
    c_2 = (9/4)/(2/4) = 9/2, c = (−7/8 + 36/8)/2 = 29/16.
    Round 2: client 1 adds c − c_1 = 43/16: its gradient is θ + 27/16, so θ + 27/16 shrinks by 3/4
    a step, from −29/32 + 54/32 = 25/32 to 225/512: y_1 = 225/512 − 864/512 = −639/512.
    Client 2 adds c − c_2 = −43/16: gradient 2θ + 53/16 = 2(θ + 53/32), which halves a step, from
    24/32 to 6/32: y_2 = −47/32. x² = (−639/512 − 752/512)/2 = −1391/1024.
    c_1 = −7/8 − 29/16 + (x¹ − y_1)·2 = −43/16 + 2·175/512 = −43/16 + 175/256 = −513/256.
    c_2 = 43/16 + 2·(−29/32 + 47/32) = 43/16 + 18/16 = 61/16. c = (−513 + 976)/512 = 463/512.
    """
    from torch import nn

    class Point(nn.Module):
        def __init__(self):
            super().__init__()
            self.theta = nn.Parameter(torch.zeros(1))

        def forward(self, images):
            return self.theta.expand(len(images), 1)

    trainer = federation(
        "scaffold",
        sizes=(4, 4),
        model=Point,
        rounds=2,
        local_steps=2,
        learning_rate=0.25,
        evaluate_every=2,
    )
    first, second = trainer.clients
    first.criterion = lambda scores, _: (scores - 1).square().mean() / 2
    second.criterion = lambda scores, _: (scores + 3).square().mean()
    judge_nothing(trainer)
    c = []
    trainer.on_round = lambda row: c.append(trainer.server.algorithm.state["c"].item())
    seen = []
    step = trainer.server.step
    trainer.server.step = lambda total: (
        step(total),
        seen.append(trainer.server.vector.item()),
    )
    trainer.train()
    assert seen == [-29 / 32, -1391 / 1024]
    assert c == [0, 29 / 16, 463 / 512]
    assert first.state["c"].item() == -513 / 256
    assert second.state["c"].item() == 61 / 16
