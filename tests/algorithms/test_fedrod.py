"""FedRoD: a generic model by balanced softmax, and a personal head on its features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Linear, Normed, Parted, federation, models, small_store
from softmax import Parted as Problem
from softmax import close
from torch import nn

from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics


class TwoLayered(Parted):
    """A network whose head is no single layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))


def own(trainer, client):
    trainer.server.algorithm.personal_model(trainer.clients[client], trainer.server.model)
    return trainer.server.model.vector.clone()


def test_rounds_by_hand():
    """log n_c stands beside the generic bias, and the personal head beside the generic one.

    One client has no image of class 2: there n_c is 1e-8.
    """
    store = small_store(60)
    store.labels[:8] %= 2
    trainer = federation("fedrod", model=Parted, store=store, clients_per_round=2, rounds=4)
    problem = Problem(trainer)
    d, x, heads = problem.body, problem.start, {}
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, ends = problem.participants(number), []
            for k in chosen:
                counts = np.bincount(problem.y[problem.rows(k)], minlength=3).astype(float)
                assert (counts[2] == 0) == (k == 0)
                prior = np.concatenate([np.zeros(len(x) - 3), np.log(np.maximum(counts, 1e-8))])
                y, head = x.copy(), heads.get(k, np.zeros(len(x) - d))
                for rows in problem.batches(k, number):
                    both = y + np.concatenate([np.zeros(d), head])
                    head = head - 0.1 * problem.gradient(both, rows)[d:]
                    y = y - 0.1 * problem.gradient(y + prior, rows)
                ends.append(y)
                heads[k] = head
            x = problem.share(chosen) @ np.array(ends)
        assert close(seen, x)
    assert len(heads) >= 2
    for k in range(3):
        mine = heads.get(k, np.zeros(len(x) - d))
        assert close(own(trainer, k), x + np.concatenate([np.zeros(d), mine]))
    assert run_metrics(trainer)["everyone_by"] == "server", "G-FL: the generic model"
    assert trainer.history[1]["bytes_up"] == 2 * 8 * len(x), "no personal head travels"


def test_of_equal_classes_the_generic_model_is_that_of_fedavg():
    """log n_c is then the same for all classes, and moves no softmax."""
    store = small_store(63)
    store.labels[:] = np.arange(63) % 3
    settings = {"sizes": (9, 15, 12), "store": store, "model": Normed}
    pair = [models(federation(name, **settings)) for name in ("fedrod", "fedavg")]
    for one, other in zip(*pair, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_the_personal_head_moves_nothing_that_is_sent(monkeypatch):
    """Even where it starts from anything."""
    trainer, other = (federation("fedrod", model=Normed, rounds=1) for _ in range(2))
    for client in other.clients:
        client.state["head"] = torch.randn(64 * 3 + 3, dtype=torch.float64)
    assert all(map(torch.equal, models(trainer), models(other)))
    assert torch.equal(trainer.server.buffers, other.server.buffers)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": Linear}, "this network has no `head`"),
        ({"model": TwoLayered}, "a `head` with one nn.Linear on them"),
    ],
)
def test_what_it_refuses(settings, words):
    with pytest.raises(MedflError, match=words):
        federation("fedrod", **settings)
