"""One client that holds everything is centralised training, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
from federations import Linear, Normed, federation
from torch import nn

from medfl.streams import torch_stream


def plain_loop(trainer, rounds, epochs, **sgd):
    """PyTorch as anyone writes it: a module, an optimiser per round, epochs of shuffled batches."""
    data, client = trainer.data, trainer.clients[0]
    module = copy.deepcopy(trainer.server.model.module)
    size = trainer.config.training.batch_size
    for number in range(1, rounds + 1):
        optimizer = torch.optim.SGD(module.parameters(), **sgd)
        shuffle = torch_stream(trainer.config.seed, number, 0, "train")
        module.train()
        for _ in range(epochs):
            order = torch.randperm(len(client.rows), generator=shuffle)
            for start in range(0, len(order), size):
                rows = client.rows[order[start : start + size]]
                optimizer.zero_grad()
                images = data.inputs(rows)
                nn.functional.cross_entropy(module(images), data.labels[rows]).backward()
                optimizer.step()
    return module


@pytest.mark.parametrize("model", [Linear, Normed])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_single_client_takes_the_steps_of_a_plain_loop(model, momentum):
    settings = {"momentum": momentum, "weight_decay": 1e-3}
    trainer = federation(sizes=(22,), model=model, local_epochs=2, **settings)
    module = plain_loop(trainer, 3, 2, lr=0.1, **settings)
    start = trainer.server.vector.clone()
    trainer.train()
    expected = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
    statistics = [b.reshape(-1) for b in module.buffers() if b.is_floating_point()]
    assert not torch.equal(expected, start)
    assert torch.equal(trainer.server.vector, expected)
    if statistics:
        assert torch.equal(trainer.server.buffers, torch.cat(statistics))


def test_a_single_client_is_the_centralised_baseline_of_many():
    # The same 36 training samples, once with one client and once with three.
    from federations import small_store

    store = small_store(60)
    one = federation(sizes=(36,), store=store, model=Normed)
    pooled = federation("centralized", sizes=(8, 16, 12), store=store, model=Normed)
    one.train()
    pooled.train()
    assert torch.equal(one.server.vector, pooled.server.vector)
    assert torch.equal(one.server.buffers, pooled.server.buffers)
    assert one.history[-1]["steps"] == pooled.history[-1]["steps"] == 9


@pytest.mark.parametrize(
    ("algorithm", "params"),
    [
        ("fedprox", {"mu": 0.0}),
        ("scaffold", {}),
        ("moon", {"mu": 0.0}),
        ("ditto", {}),
        ("finetune", {}),
        ("fedbn", {}),
        ("silobn", {}),
        ("fedper", {}),
        ("fedala", {"weight_rate": 0.0}),
        ("local", {}),
    ],
)
def test_corrections_that_vanish_leave_a_single_client_alone(algorithm, params):
    # With one client c = c_1, there is nobody to drift from, and a kept layer is the only one.
    plain = federation(sizes=(22,), model=Normed)
    other = federation(algorithm, params, sizes=(22,), model=Normed)
    plain.train()
    other.train()
    ours, client = other.server.model, other.clients[0]
    client.receive(ours)
    assert torch.allclose(ours.vector, plain.server.vector, rtol=0, atol=1e-12)
    assert torch.allclose(ours.buffers, plain.server.buffers, rtol=0, atol=1e-12)
