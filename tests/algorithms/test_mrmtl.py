"""MR-MTL: models of the clients' own, drawn towards their mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close

from medfl.federated.outcome import run_metrics


def own(trainer, client):
    trainer.server.algorithm.personal_model(trainer.clients[client], trainer.server.model)
    return trainer.server.model.vector.clone()


def test_rounds_by_hand():
    """Two of three clients a round: who sits one out goes on from its own model later."""
    trainer = federation("mrmtl", {"lam": 0.7}, rounds=4, clients_per_round=2, local_epochs=2)
    problem = Softmax(trainer)
    x, kept = problem.start, {}
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen = problem.participants(number)
            for k in chosen:
                kept[k] = problem.descend(
                    kept.get(k, x),
                    problem.batches(k, number),
                    correction=lambda w, x=x: 0.7 * (w - x),
                )
            x = problem.share(chosen) @ np.array([kept[k] for k in chosen])
        assert close(seen, x)
    for k in range(3):
        assert close(own(trainer, k), kept.get(k, x))
    assert run_metrics(trainer)["everyone_by"] == "server"
    assert run_metrics(trainer)["extra_work"] is None
    assert trainer.history[1]["gradients"] == trainer.history[1]["steps"]


def test_nobody_who_was_never_drawn_has_a_model_of_its_own():
    trainer = federation("mrmtl", rounds=1, clients_per_round=1)
    trainer.train()
    same = [torch.equal(own(trainer, k), trainer.server.vector) for k in range(3)]
    assert sum(same) == 3, "the mean of one is itself, and the others use it"


def test_at_zero_every_client_trains_alone():
    pair = [
        federation(name, params, model=Normed)
        for name, params in (("mrmtl", {"lam": 0.0}), ("local", {}))
    ]
    for trainer in pair:
        trainer.train()
    for k in range(3):
        vectors, buffers = [], []
        for trainer in pair:
            vectors.append(own(trainer, k))
            buffers.append(trainer.server.model.buffers.clone())
        assert torch.equal(*vectors)
        assert torch.equal(*buffers)


def test_of_one_client_it_is_fedprox():
    params = {"mrmtl": {"lam": 0.7}, "fedprox": {"mu": 0.7}}
    pair = [models(federation(name, p, sizes=(22,), model=Normed)) for name, p in params.items()]
    assert all(map(torch.equal, *pair))


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_the_stronger_the_pull_the_closer_they_stay(weighting):
    """The way back to the mean in a step is ηλ of the distance: 0, a half, nine tenths."""
    spread = []
    for lam in (0.0, 5.0, 9.0):
        trainer = federation("mrmtl", {"lam": lam}, weighting=weighting)
        trainer.train()
        x = trainer.server.vector
        spread.append(max(float((own(trainer, k) - x).norm()) for k in range(3)))
    assert spread[0] > 2 * spread[1] > 2 * spread[2] > 0
