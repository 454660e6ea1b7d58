"""FedDG-GA against numpy, on paper, without its step, and what it does not go with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close

from medfl.chain import PARAMETERS, Message, Part
from medfl.errors import MedflError


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("clients", [None, 3])
def test_rounds_by_hand(clients, weighting):
    settings = {"sizes": (8, 16, 12, 10), "rounds": 5, "evaluate_every": 1}
    settings |= {"clients_per_round": clients, "weighting": weighting}
    trainer = federation("feddgga", {"step_size": 0.9}, **settings)
    problem, told = Softmax(trainer), []
    x, a, reached = problem.start, problem.weights.copy(), {}
    if weighting == "uniform":
        a = np.full(4, 0.25)
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            gaps = {
                k: problem.losses(x, problem.rows(k)).mean() - reached[k]
                for k in chosen
                if k in reached
            }
            if gaps:
                apart = np.array(list(gaps.values())) - np.mean(list(gaps.values()))
                d = (1 - (number - 1) / 5) * 0.9 / 4
                if np.abs(apart).max():
                    a[list(gaps)] += d * apart / np.abs(apart).max()
                a = np.maximum(a, 0)
                a /= a.sum()
            y = [problem.descend(x, problem.batches(k, number)) for k in chosen]
            for k, own in zip(chosen, y, strict=True):
                reached[k] = problem.losses(own, problem.rows(k)).mean()
            x = a[chosen] @ np.array(y) / a[chosen].sum()
        assert close(seen, x)
        told.append(a.copy())
    assert np.ptp(told[-1] / told[0]) > 0.1
    rows = [row for row in trainer.client_history if row["fold"] == "test"]
    found = np.array([row["aggregation_weight"] for row in rows]).reshape(-1, 4)
    assert np.allclose(found, told, rtol=0, atol=1e-10)


def weighed(number, gaps, weights, step=0.3):
    """The weights after messages of all three clients with these gaps, None for none."""
    trainer = federation("feddgga", {"step_size": step}, rounds=4)
    algorithm, zero = trainer.server.algorithm, torch.zeros(1).double()
    trainer.server.round = number
    algorithm.state["weights"] = torch.tensor(weights, dtype=torch.float64)
    messages = []
    for client, gap in enumerate(gaps):
        sent = [0.0, 0.0] if gap is None else [gap, 1.0]
        value = torch.tensor(sent, dtype=torch.float64)
        names = (PARAMETERS, "statistics")
        parts = {name: Part(zero, 1.0) for name in names} | {"gap": Part(value, 1.0)}
        messages.append(Message(client, parts, 1.0, 0.0, 1, 1))
    found = algorithm.weigh(messages)
    kept = algorithm.state["weights"].tolist()
    assert kept == pytest.approx(weights), "the state changes in the step alone"
    for name in (PARAMETERS, "statistics"):
        shares = [message.parts[name].weight for message in found]
        assert shares == pytest.approx([message.parts[PARAMETERS].weight for message in found])
    return shares, algorithm._next.tolist()


def test_a_step_on_paper():
    """Round 3 of 4: d = (1 − 2/4) · 0.3/3 = 0.05; gaps 1, 3, 8 are −3, −1, 4 from their mean."""
    third = 1 / 3
    shares, weights = weighed(3, [1.0, 3.0, 8.0], [third] * 3)
    assert weights == pytest.approx([third - 0.0375, third - 0.0125, third + 0.05], abs=1e-14)
    assert shares == pytest.approx(weights)


def test_equal_gaps_and_none_leave_the_weights():
    for gaps in ([2.0, 2.0, 2.0], [None] * 3, [None, 5.0, None]):
        assert weighed(2, gaps, [0.2, 0.3, 0.5])[1] == pytest.approx([0.2, 0.3, 0.5])


def test_who_has_no_gap_stays():
    """In round 2 of 4 d = 0.75 · 0.3/3; the two others are as far from their mean, 1.5."""
    weights = weighed(2, [1.0, None, 2.0], [0.2, 0.3, 0.5])[1]
    assert weights == pytest.approx([0.125, 0.3, 0.575], abs=1e-14)


def test_a_weight_ends_at_zero():
    """d = 0.75 · 2/3 = 0.5 moves 0.1 to below 0, which is 0: (0, 0.1, 1.3) / 1.4."""
    weights = weighed(2, [-1.0, 0.0, 1.0], [0.1, 0.1, 0.8], step=2.0)[1]
    assert weights == pytest.approx([0, 0.1 / 1.4, 1.3 / 1.4], abs=1e-14)


def test_where_all_of_a_round_have_no_weight_they_count_alike():
    trainer = federation("feddgga", {"step_size": 0.0})
    trainer.server.algorithm.state["weights"] = torch.tensor([0.0, 0.0, 1.0]).double()
    trainer.server.participants = lambda number: [0, 1]
    problem = Softmax(trainer)
    y = [problem.descend(problem.start, problem.batches(k, 1)) for k in (0, 1)]
    assert close(models(trainer)[1], (y[0] + y[1]) / 2)


@pytest.mark.parametrize("settings", [{}, {"weighting": "uniform", "clients_per_round": 2}])
def test_without_a_step_it_is_fedavg(settings):
    plain = federation(model=Normed, **settings)
    still = federation("feddgga", {"step_size": 0.0}, model=Normed, **settings)
    for one, other in zip(models(plain), models(still), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert torch.allclose(plain.server.buffers, still.server.buffers, rtol=0, atol=1e-12)
    assert plain.server.objective == still.server.objective
    row, other = plain.history[1], still.history[1]
    assert other["bytes_up"] - row["bytes_up"] == row["participants"] * 16
    assert other["forwards"] == 2 * row["participants"]
    words = "2 passes over its samples to measure a loss"
    assert still.server.algorithm.extra_work() == words


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ({"rule": "median"}, "the rule median makes no mean with such weights"),
        ({"links": {"secure_aggregation": {}}}, "by itself, and secure_aggregation protects them"),
        ({"links": {"ckks": {}}}, "by itself, and ckks protects them"),
        (
            {"links": {"dp_hospital": {"noise_multiplier": 1.0}}},
            "by itself, and dp_hospital protects them",
        ),
        ({"links": {"dp_patient": {"noise_multiplier": 1.0}}}, "measures each client's loss"),
    ],
)
def test_what_it_does_not_go_with_is_refused(chain, words):
    with pytest.raises(MedflError, match=words):
        federation("feddgga", chain=chain, weighting="uniform", local_steps=2)
