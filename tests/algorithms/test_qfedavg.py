"""q-FedAvg against numpy and one step on paper; what it measures, counts and refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Dropped, Normed, federation, models
from softmax import Softmax

from medfl.chain import PARAMETERS, Total
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics


@pytest.mark.parametrize("clients", [None, 2])
@pytest.mark.parametrize(("q", "momentum"), [(2.0, 0.0), (0.5, 0.9)])
def test_rounds_by_hand(q, momentum, clients):
    """Algorithm 2 with Δw = L (x − y), L = 1/0.1, and sums by p_i in the place of draws by p_i."""
    trainer = federation(
        "qfedavg", {"q": q}, clients_per_round=clients, momentum=momentum, rounds=3
    )
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, deltas, hs = problem.participants(number), [], []
            for k in chosen:
                loss = problem.losses(x, problem.rows(k)).mean()
                y = problem.descend(x, problem.batches(k, number), momentum=momentum)
                w = (x - y) / 0.1
                deltas.append(loss**q * w)
                hs.append(q * loss ** (q - 1) * (w @ w) + loss**q / 0.1)
            p = problem.share(chosen)
            x = x - (p @ np.array(deltas)) / (p @ np.array(hs))
        assert np.abs(seen.numpy() - x).max() < 1e-8  # the loss has 1e-10 added to it


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_without_its_power_it_is_fedavg(weighting):
    settings = {"model": Normed, "weighting": weighting, "clients_per_round": 2, "momentum": 0.5}
    plain, fair = federation(**settings), federation("qfedavg", {"q": 0.0}, **settings)
    for one, other in zip(models(plain), models(fair), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert torch.allclose(plain.server.buffers, fair.server.buffers, rtol=0, atol=1e-12)
    assert plain.server.objective == fair.server.objective


def test_one_step_on_paper():
    """Two clients, q = 1, η = 1/2, losses 1 and 3, updates (1, 0) and (0, 1).

    F Δ are (1, 0) and (0, 3); h = F + ‖Δ‖²/η are 3 and 5: x moves by (1, 3)/2 / 4.
    """
    trainer = federation("qfedavg", sizes=(8, 8), learning_rate=0.5)
    server, sent = trainer.server, []
    server.vector.zero_()
    for client, loss, place in zip(trainer.clients, (1.0, 3.0), (0, 1), strict=True):
        client.receive(server.model)
        work = type("W", (), {"extras": {"loss_at_x": torch.tensor([loss]).double()}})
        server.model.vector.zero_()
        server.model.vector[place] = 1.0
        message = server.algorithm.message(client, server.model, work)
        sent.append({name: part.value.clone() for name, part in message.items()})
    assert [float(one["h"]) for one in sent] == pytest.approx([3.0, 5.0], abs=1e-8)
    total = {n: Total((sent[0][n] + sent[1][n]) / 2, 2.0) for n in (PARAMETERS, "h")}
    server.algorithm.step(total)
    assert server.vector[:2].tolist() == pytest.approx([1 / 8, 3 / 8], abs=1e-8)


def test_what_is_measured_is_the_model_as_it_is_judged():
    """Over all samples, without dropout, whatever the batches; links change the labels."""
    trainer = federation("qfedavg", model=Dropped, batch_size=3)
    problem, client = Softmax(trainer), trainer.clients[1]
    client.receive(trainer.server.model)
    loss, batches = client.mean_loss(trainer.server.model)
    assert loss == pytest.approx(problem.losses(problem.start, problem.rows(1)).mean(), rel=1e-12)
    assert batches == 1
    flipped = federation("qfedavg", chain={"links": {"links:FlipLabels": {}}})
    problem, client = Softmax(flipped), flipped.clients[0]
    problem.y = np.where(np.isin(np.arange(len(problem.y)), problem.rows(0)), 2, 0) + (
        np.where(np.isin(np.arange(len(problem.y)), problem.rows(0)), -1, 1) * problem.y
    )
    client.receive(flipped.server.model)
    wanted = problem.losses(problem.start, problem.rows(0)).mean()
    assert client.mean_loss(flipped.server.model)[0] == pytest.approx(wanted, rel=1e-12)


def test_its_pass_is_counted_and_said_and_its_number_travels():
    """9 steps of 36 samples, and one pass of each client; 8 bytes more of each of three clients."""
    plain, fair = federation(rounds=1), federation("qfedavg", rounds=1)
    plain.train(), fair.train()
    row = fair.history[1]
    assert (row["steps"], row["gradients"], row["forwards"]) == (9, 9, 3)
    assert "forwards" not in fair.history[0]
    assert [column.name for column in fair.columns][-1] == "forwards"
    assert "forwards" not in plain.history[1]
    assert row["bytes_up"] == plain.history[1]["bytes_up"] + 3 * 8
    assert run_metrics(fair)["extra_work"] == "a pass over its samples to measure a loss"
    masked = {"links": {"secure_aggregation": {"bound": 10.0}}}
    hidden = federation("qfedavg", chain=masked, local_steps=2, rounds=1)
    hidden.train()
    assert hidden.history[1]["forwards"] is None


def test_a_sum_of_h_that_is_not_positive_leaves_x(caplog):
    trainer = federation("qfedavg")
    x, algorithm = trainer.server.vector.clone(), trainer.server.algorithm
    for h in (0.0, -1.0):
        algorithm.step({PARAMETERS: Total(x + 1, 1.0, x), "h": Total(x.new_tensor([h]), 1.0)})
    assert torch.equal(trainer.server.vector, x)
    assert sum("so x stays" in message for message in caplog.messages) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "adam"}, "takes 1/η for the Lipschitz constant"),
        (
            {"chain": {"links": {"dp_image": {"noise_multiplier": 1.0}}}, "local_steps": 2},
            "dp_image: the algorithm measures each client's loss, which no noise hides",
        ),
    ],
)
def test_what_it_does_not_go_with_is_refused(settings, words):
    with pytest.raises(MedflError, match=words):
        federation("qfedavg", **settings)


def test_the_record_says_what_is_minimised():
    said = federation("qfedavg", {"q": 0.5}, local_steps=1).server.objective
    assert said == "Σ p_i F_i^1.5/1.5; p_i: share of all training samples"


def test_a_rate_that_its_schedule_brings_to_nothing_leaves_x():
    """10^-200 · 10^-200 is 0 in double precision, and h is then F^q alone."""
    settings = {"learning_rate": 1e-200, "lr_gamma": 1e-200, "rounds": 3}
    trainer = federation("qfedavg", lr_schedule="step", lr_milestones=[0.2], **settings)
    start = trainer.server.vector.clone()
    trainer.train()
    assert trainer.server.learning_rate(3) == 0.0
    assert [row["round"] for row in trainer.history] == [0, 1, 2, 3]
    assert torch.allclose(trainer.server.vector, start, rtol=0, atol=1e-12)


def test_a_power_beyond_double_precision_diverges_as_any_number_that_is_none():
    """Parameters of 10^3 bring losses of hundreds, and 100^1000 is 10^2000."""
    trainer = federation("qfedavg", {"q": 1000.0}, learning_rate=1e3, rounds=5, local_steps=1)
    trainer.server.vector.mul_(1e3)
    trainer.train()
    assert trainer.status == "diverged"
    assert "is not finite" in trainer.reason
