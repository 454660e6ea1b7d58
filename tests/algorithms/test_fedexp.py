"""FedExP against numpy and two updates on paper; what is judged; what it does not go with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, comparable, federation, judge_nothing, models
from softmax import Softmax, close

from medfl.chain import PARAMETERS, Total
from medfl.errors import MedflError


@pytest.mark.parametrize("clients", [None, 3])
def test_rounds_by_hand(clients):
    settings = {"local_epochs": 4, "sizes": (8, 16, 12, 8), "rounds": 4}
    trainer = federation("fedexp", {"epsilon": 1e-4}, clients_per_round=clients, **settings)
    problem, steps = Softmax(trainer), []
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            p = problem.share(chosen)
            y = [problem.descend(x, problem.batches(k, number)) for k in chosen]
            updates = np.array(y) - x
            mean = p @ updates
            lengths = p @ (updates**2).sum(axis=1)
            steps.append(max(1.0, lengths / (2 * (mean @ mean + 1e-4))))
            x = x + steps[-1] * mean
        assert close(seen, x)
    told = [row["server_step"] for row in trainer.history[1:]]
    assert told == pytest.approx(steps, rel=1e-12)
    assert max(steps) > 1.1


def one_step(updates, weights=(1.0, 1.0), epsilon=1e-12):
    """η_g, and how far x moves, where two clients send these updates of x = 0."""
    trainer = federation("fedexp", {"epsilon": epsilon})
    server = trainer.server
    server.vector.zero_()
    values = torch.zeros(2, len(server.vector), dtype=torch.float64)
    values[:, :2] = torch.tensor(updates)
    w = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    lengths = (w @ values.square().sum(dim=1)).reshape(1)
    server.round = 1
    server.algorithm.step(
        {
            PARAMETERS: Total(w @ values, sum(weights), torch.zeros_like(values[0])),
            "squared_norm": Total(lengths, sum(weights)),
        }
    )
    return server.algorithm.row()["server_step"], server.vector[:2].tolist()


@pytest.mark.parametrize(
    ("updates", "step", "moved"),
    [
        # Alike: (25 + 25) / (2 · 2 · 25) = 1/2, so that η_g is 1 and this is FedAvg.
        ([[3, 4], [3, 4]], 1.0, [3, 4]),
        # At right angles: mean (2, 2), (16 + 16) / (2 · 2 · 8) = 1.
        ([[4, 0], [0, 4]], 1.0, [2, 2]),
        # Against each other: mean (0, 1), (10 + 10) / (2 · 2 · 1) = 5.
        ([[3, 1], [-3, 1]], 5.0, [0, 5]),
    ],
)
def test_two_updates_on_paper(updates, step, moved):
    found, x = one_step(updates)
    assert found == pytest.approx(step, rel=1e-9)
    assert x == pytest.approx(moved, rel=1e-9)


def test_updates_count_by_weight():
    """Weights 3 and 1: mean (2, 0), lengths (3 · 16 + 16) / 4 = 16, η_g = 16 / 8 = 2."""
    assert one_step([[4, 0], [-4, 0]], (3.0, 1.0)) == (pytest.approx(2.0), pytest.approx([4, 0]))


def test_a_large_epsilon_is_fedavg_to_the_bit():
    plain = federation(model=Normed, evaluate_every=1)
    far = federation(
        "fedexp",
        {"epsilon": 1e9, "average_iterates": False},
        model=Normed,
        evaluate_every=1,
    )
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(far), strict=True))
    for row, other in zip(comparable(plain.history), comparable(far.history), strict=True):
        assert row["test_loss"] == other["test_loss"]
        assert other["bytes_up"] == (row["bytes_up"] + 3 * 8 if row["round"] else 0)


def test_the_mean_of_the_last_two_iterates_is_judged(tmp_path):
    """Training goes on from the last; after round 1 there is one iterate."""
    trainer = federation("fedexp", {"epsilon": 1e-4}, model=Normed, rounds=3)
    judge_nothing(trainer)
    judged, inner = [], models(trainer)
    again = federation("fedexp", {"epsilon": 1e-4}, model=Normed, rounds=3)
    judge_nothing(again)
    again.on_round = lambda row: judged.append(again.server.algorithm.judged().clone())
    again.train()
    assert torch.equal(judged[1], inner[1])
    for number in (2, 3):
        mean = (inner[number] + inner[number - 1]) / 2
        assert torch.allclose(judged[number], mean, rtol=0, atol=1e-15)
    again.server.load_judged(again.server.model)
    assert torch.allclose(again.server.model.vector, judged[3], rtol=0, atol=0)


def test_results_are_about_what_is_judged():
    """A model that gives the same answers without the mean has the same test loss."""
    mean = federation("fedexp", {"epsilon": 1e-4}, model=Normed, rounds=3)
    last = federation(
        "fedexp", {"epsilon": 1e-4, "average_iterates": False}, model=Normed, rounds=3
    )
    xs = models(mean)
    models(last)
    assert torch.equal(mean.server.vector, last.server.vector)
    told = mean.history[3]["test_loss"]
    assert told != last.history[3]["test_loss"]
    last.server.vector.copy_((xs[2] + xs[3]) / 2)
    assert last.evaluator.evaluate().pooled["test"]["log_loss"] == pytest.approx(told, rel=1e-12)


@pytest.mark.parametrize(
    ("link", "settings"),
    [
        ("clip", {}),
        ("dp_hospital", {"weighting": "uniform", "local_steps": 2}),
    ],
)
def test_what_scales_updates_is_refused(link, settings):
    params = {"noise_multiplier": 1.0} if link == "dp_hospital" else {}
    words = f"fedexp takes its step from the lengths of the updates, which {link} changes"
    with pytest.raises(MedflError, match=words):
        federation("fedexp", chain={"links": {link: params}}, **settings)
