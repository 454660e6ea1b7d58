"""A link can act at each of the five places, and does there what numpy says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import (
    ALGORITHMS,
    HEADED,
    Dropped,
    Grouped,
    Linear,
    Normed,
    comparable,
    federation,
    models,
)
from links import Noise
from softmax import Softmax, close

from medfl.chain import Link
from medfl.streams import torch_stream

FEDERATED = sorted(set(ALGORITHMS) - {"local", "centralized"})


def build(algorithm="fedavg", links=None, **settings):
    return federation(algorithm, chain={"links": links or {}}, **settings)


def test_what_is_in_a_batch():
    """Client 0 trains on flipped labels; nobody is evaluated on them."""
    trainer, plain = build(links={"links:FlipLabels": {}}, rounds=2), build(rounds=2)
    problem = Softmax(trainer)
    x, truth = problem.start, problem.y.copy()
    flipped = truth.copy()
    mine = trainer.clients[0].rows.numpy()
    flipped[mine] = 2 - flipped[mine]
    for number, seen in enumerate(models(trainer)):
        if number:
            y = []
            for k in range(3):
                problem.y = flipped if k == 0 else truth
                y.append(problem.descend(x, problem.batches(k, number)))
            x = problem.share([0, 1, 2]) @ np.array(y)
        assert close(seen, x)
    assert trainer.history[0]["test_loss"] == plain_start(plain)["test_loss"]


def plain_start(trainer):
    trainer.train()
    return trainer.history[0]


def test_how_batches_are_drawn():
    trainer = build(links={"links:Poisson": {"q": 0.3}}, rounds=2, local_steps=3)
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            y = []
            for k, client in enumerate(trainer.clients):
                generator = torch_stream(0, "link", "links:Poisson", number, k, "train")
                steps = []
                for _ in range(3):
                    inside = torch.rand(len(client.rows), generator=generator) < 0.3
                    rows = client.rows[inside] if inside.any() else client.rows[:1]
                    steps.append(rows.numpy())
                y.append(problem.descend(x, steps))
            x = problem.share([0, 1, 2]) @ np.array(y)
        assert close(seen, x)


@pytest.mark.parametrize("algorithm", FEDERATED)
def test_a_gradient_sample_by_sample_is_the_batches(algorithm):
    """Without batch norm the mean of the samples' gradients is the gradient of the batch."""
    name, params = algorithm.split("-")[0], ALGORITHMS[algorithm]
    settings = {"params": params, "model": Grouped if algorithm in HEADED else Linear}
    whole = models(build(name, **settings))
    apart = models(build(name, {"links:PerSample": {}}, **settings))
    for one, other in zip(whole, apart, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_a_step_with_noise():
    """The correction comes after the noise, and each step draws from the link's own stream."""
    trainer = build("fedprox", {"links:Noise": {"deviation": 0.1}}, params={"mu": 0.5}, rounds=1)
    problem = Softmax(trainer)
    x, y = problem.start, []
    for k in range(3):
        z = x.copy()
        for rows in problem.batches(k, 1):
            generator = torch_stream(0, "link", "links:Noise", 1, k, len(rows), 1, 6, 6)
            drawn = [torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 36), 3)]
            noise = torch.cat([part.flatten() for part in drawn]).numpy()
            z = z - 0.1 * (problem.gradient(z, rows) + 0.1 * noise + 0.5 * (z - x))
        y.append(z)
    assert close(models(trainer)[-1], problem.share([0, 1, 2]) @ np.array(y))


def test_a_stream_is_on_the_device_that_it_is_asked_for(monkeypatch):
    """Without a GPU at hand: what would be built is looked at."""
    devices, cpu = [], torch.Generator()
    monkeypatch.setattr(torch, "Generator", lambda device: devices.append(device) or cpu)
    link = Noise(deviation=1.0)
    link.stream(1, 2, device="cuda:0")
    link.stream(1, 2)
    assert devices == ["cuda:0", "cpu"]


def test_all_messages_together():
    """The last client sends the values of the first one, with its own weight."""
    trainer = build(links={"links:Mimic": {}}, rounds=2)
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            y = [problem.descend(x, problem.batches(k, number)) for k in (0, 1)]
            x = problem.share([0, 1, 2]) @ np.array([*y, y[0]])
        assert close(seen, x)


@pytest.mark.parametrize("algorithm", FEDERATED)
def test_a_client_that_drops_out(algorithm):
    """The others are averaged as if it had not been chosen; it stays as it was before."""
    name, params = algorithm.split("-")[0], ALGORITHMS[algorithm]
    settings = {"params": params, "model": Normed, "rounds": 1, "evaluate_every": 1}
    dropped = build(name, {"links:DropOut": {"client": 1}}, **settings)
    absent = build(name, **settings)
    absent.server.participants = lambda number: [0, 2]
    for one, other in zip(models(dropped), models(absent), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(dropped.server.buffers, absent.server.buffers)
    row, plain = dropped.history[1], absent.history[1]
    assert row.pop("dropped") == 1.0
    # What was sent to the client that dropped out was sent all the same.
    assert row.pop("bytes_down") * 2 == plain.pop("bytes_down") * 3
    row.pop("bytes_total"), plain.pop("bytes_total")
    assert comparable([row]) == comparable([plain])
    assert row["participants"] == 2
    assert dropped.clients[1].state == {}
    assert dropped.clients[1].steps == 0


def test_the_next_round_goes_on_with_everyone():
    trainer = build("scaffold", {"links:DropOut": {"client": 1}}, rounds=3)
    trainer.train()
    assert [row.get("dropped") for row in trainer.history] == [None, 1.0, 0.0, 1.0]
    assert [row["participants"] for row in trainer.history] == [0, 2, 3, 2]
    mean = sum(len(client.rows) * client.state["c"] for client in trainer.clients) / 36
    assert torch.allclose(trainer.server.algorithm.state["c"], mean, rtol=0, atol=1e-12)


def test_who_drops_out_leaves_feddyns_h_the_mean_of_all_clients():
    trainer = build("feddyn", {"links:DropOut": {"client": 1}}, rounds=4, clients_per_round=2)
    trainer.train()
    assert {row.get("dropped") for row in trainer.history} >= {0.0, 1.0}
    zeros = torch.zeros_like(trainer.server.vector)
    own = [len(client.rows) * client.state.get("g", zeros) for client in trainer.clients]
    h = trainer.server.algorithm.state["h"]
    assert float(h.abs().max()) > 1e-4
    assert torch.allclose(h, sum(own) / 36, rtol=0, atol=1e-12)


def test_nobody_answers():
    """The server keeps its model, and the next round finds it as it was."""
    trainer = build(links={"links:DropOut": {"client": 0}}, sizes=(8,), rounds=2)
    problem = Softmax(trainer)
    seen = models(trainer)
    assert torch.equal(seen[0], seen[1])
    assert trainer.history[1]["train_loss"] is None
    assert trainer.history[1]["update_norm"] == 0
    assert close(seen[2], problem.descend(problem.start, problem.batches(0, 2)))


def test_what_the_server_gets_at_the_close():
    trainer = build(links={"links:HalfStep": {}}, rounds=1)
    plain = models(build(rounds=1))
    half = models(trainer)
    assert torch.allclose(half[1], (plain[0] + plain[1]) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_nothing_of_a_client_is_kept_on_the_algorithm(algorithm):
    """Clients that train in models of their own, in any order, send the same messages."""
    settings = {"params": ALGORITHMS[algorithm], "model": Normed, "rounds": 2}
    one, other = (federation(algorithm.split("-")[0], **settings) for _ in range(2))
    for trainer in (one, other):
        trainer.train()
        trainer.server.round = 3
    kept = dict(vars(one.server.algorithm))
    first = [client.train(one.server.model)[0].copy() for client in one.clients]
    assert vars(one.server.algorithm) == kept
    own = [other.server.model.clone() for _ in other.clients]
    pairs = list(zip(other.clients, own, strict=True))
    second = [client.train(model)[0] for client, model in reversed(pairs)][::-1]
    for mine, theirs in zip(first, second, strict=True):
        assert mine.parts.keys() == theirs.parts.keys()
        for name, part in mine.parts.items():
            assert torch.equal(part.value, theirs.parts[name].value)
        assert (mine.loss, mine.steps, mine.gradients) == (
            theirs.loss,
            theirs.steps,
            theirs.gradients,
        )


def test_a_client_reads_what_was_sent():
    """Clients train with the c that was sent, also when the server's own c changes meanwhile."""
    trainer = federation("scaffold", rounds=1)
    server, client = trainer.server, trainer.clients[0]
    server.algorithm.state["c"].fill_(0.25)
    sent = server.open(1)
    server.algorithm.state["c"].zero_()
    client.receive(server.model, sent)
    seen = []
    client.descend = lambda model, purpose, correct_gradient, loss: seen.append(correct_gradient)
    server.algorithm.train(client, server.model)

    class Gradient:
        def add_(self, vector):
            seen.append(vector)

    seen[0](Gradient(), server.model, client)
    assert torch.equal(seen[1], torch.full_like(server.vector, 0.25))
    assert sum(part.size for part in sent.values()) == 2 * 8 * len(server.vector)


class OneSample(Link):
    """Every batch is the client's first sample alone."""

    stage = "data"

    def batches(self, client, rows, purpose):
        return (client.rows[:1] for _ in rows)


def option_1(*links: Link):
    """One round of SCAFFOLD with the pass over all images, and the softmax problem of its data."""
    trainer = build("scaffold", params={"option": 1}, rounds=1)
    problem = Softmax(trainer)
    for link in links:
        link.name = type(link).__name__
        trainer.server.chain.links.append(link)
    trainer.train()
    return trainer, problem


def test_a_pass_over_all_images_draws_batches_through_links():
    """c_i is the gradient at x of the samples that the link gives."""
    trainer, problem = option_1(OneSample())
    for client in trainer.clients:
        first = client.rows[:1].numpy()
        assert close(client.state["c"], problem.gradient(problem.start, first))


def test_a_pass_over_all_images_shows_every_gradient_to_links():
    """c_i is the mean over the samples of the batches' gradients, each with its own noise."""
    trainer, problem = option_1(Noise(deviation=0.1))
    for k, client in enumerate(trainer.clients):
        expected = 0.0
        for rows in problem.batches(k, 1, "gradient"):
            generator = torch_stream(0, "link", "Noise", 1, k, len(rows), 1, 6, 6)
            drawn = [torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 36), 3)]
            noise = torch.cat([part.flatten() for part in drawn]).numpy()
            seen = problem.gradient(problem.start, rows) + 0.1 * noise
            expected = expected + len(rows) / len(client.rows) * seen
        assert close(client.state["c"], expected)


class Disturb(Link):
    """Draws from PyTorch's own generator between steps, as another client's dropout would."""

    stage = "gradient"

    def gradient(self, client, model, images, labels, backward):
        torch.rand(3)
        loss = backward(images, labels)
        torch.manual_seed(0)
        return loss


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold-1", "ditto"])
def test_dropout_draws_the_same_whoever_draws_in_between(algorithm):
    name, params = algorithm.split("-")[0], ALGORITHMS[algorithm]
    one, plain = (build(name, params=params, model=Dropped, local_epochs=2) for _ in "ab")
    link = Disturb()
    link.name = "disturb"
    one.server.chain.links.append(link)
    atol = 1e-12 if algorithm == "scaffold-1" else 0.0  # its pass adds the batches up another way
    for ours, theirs in zip(models(one), models(plain), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=atol)
