"""MOON against equation 3 of its paper, and against a plain PyTorch loop."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from federations import Linear, Normed, federation, models
from softmax import Softmax
from torch import nn

from medfl.errors import MedflError

MU, T = 1.5, 0.4


def contrast(z, near, far):
    """Equation 3 in numpy: mean of −log(e^{a/T} / (e^{a/T} + e^{b/T}))."""

    def cosine(u, v):
        return (u * v).sum(axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)

    a, b = np.exp(cosine(z, near) / T), np.exp(cosine(z, far) / T)
    return -np.log(a / (a + b)).mean()


def network(trainer, vector, buffers):
    """A separate module with these parameters and statistics, in evaluation mode."""
    module = copy.deepcopy(trainer.server.model.module).eval()
    with torch.no_grad():
        nn.utils.vector_to_parameters(vector.clone(), module.parameters())
        module.body[1].running_mean.copy_(buffers[:4])
        module.body[1].running_var.copy_(buffers[4:])
    return module


def test_the_loss_is_equation_3():
    trainer = federation("moon", {"mu": MU, "temperature": T}, model=Normed, rounds=2)
    trainer.train()
    server, client = trainer.server, trainer.clients[1]
    images, labels = trainer.data.batch(client.rows)
    glob = network(trainer, server.vector, server.buffers)
    prev = network(trainer, client.state["previous"], client.state["previous_buffers"])
    client.receive(server.model)
    seen = []

    def descend(model, purpose, loss):
        torch.manual_seed(1)
        model.vector.add_(torch.randn_like(model.vector), alpha=0.3)
        model.module.train()
        seen.append(copy.deepcopy(model.module))
        seen.append(loss(model, images, labels, client))

    client.descend = descend
    server.algorithm.train(client, server.model)
    mine, ours = seen
    with torch.no_grad():
        z, near, far = (m.forward_features(images).numpy() for m in (mine, glob, prev))
        supervised = nn.functional.cross_entropy(mine(images), labels).item()
    expected = supervised + MU * contrast(z, near, far)
    assert abs(ours.item() - expected) < 1e-10
    assert abs(contrast(z, near, far) - contrast(z, far, near)) > 1e-3


def test_rounds_against_a_plain_loop():
    trainer = federation(
        "moon", {"mu": MU, "temperature": T}, model=Normed, rounds=4, clients_per_round=2
    )
    problem = Softmax(trainer)
    vector, buffers = trainer.server.vector.clone(), trainer.server.buffers.clone()
    previous = {}
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            glob = network(trainer, vector, buffers)
            total, statistics = 0.0, 0.0
            for k, p in zip(chosen, problem.share(chosen), strict=True):
                module = network(trainer, vector, buffers).train()
                far = previous.get(k, glob)
                optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
                for rows in problem.batches(k, number):
                    images, labels = trainer.data.batch(torch.from_numpy(rows))
                    z = module.forward_features(images)
                    with torch.no_grad():
                        zg, zp = glob.forward_features(images), far.forward_features(images)
                    logits = torch.stack(
                        [nn.functional.cosine_similarity(z, other) / T for other in (zg, zp)], 1
                    )
                    away = nn.functional.cross_entropy(logits, torch.zeros(len(z)).long())
                    loss = nn.functional.cross_entropy(module.head(z), labels) + MU * away
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                norm = module.body[1]
                total = total + p * nn.utils.parameters_to_vector(module.parameters()).detach()
                statistics = statistics + p * torch.cat([norm.running_mean, norm.running_var])
                previous[k] = copy.deepcopy(module).eval()
            vector, buffers = total, statistics
        assert torch.allclose(seen, vector, rtol=0, atol=1e-10)
    assert torch.allclose(trainer.server.buffers, buffers, rtol=0, atol=1e-10)
    assert {c.id for c in trainer.clients if c.state} == set(previous)


def test_without_its_term_it_is_fedavg():
    plain, moon = federation(model=Normed), federation("moon", {"mu": 0.0}, model=Normed)
    for a, b in zip(models(plain), models(moon), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_the_first_round_of_all_is_fedavg():
    # The previous model is the server's: both similarities agree, and nothing pulls.
    plain, moon = federation(model=Normed, rounds=1), federation("moon", model=Normed, rounds=1)
    for a, b in zip(models(plain), models(moon), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_a_model_without_features_is_refused():
    with pytest.raises(MedflError, match="forward_features"):
        federation("moon", model=Linear)
