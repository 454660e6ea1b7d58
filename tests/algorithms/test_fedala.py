"""FedALA: each client begins from its last model and the server's, mixed by learned weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Grouped, Normed, Parted, federation, models
from softmax import Parted as Problem
from softmax import close

from medfl.errors import MedflError
from medfl.federated.data import batches
from medfl.federated.outcome import run_metrics
from medfl.models.parts import top_names
from medfl.streams import torch_stream

NEVER = {"threshold": 0.0}  # no loss stands as still


def own(trainer, client):
    trainer.server.algorithm.personal_model(trainer.clients[client], trainer.server.model)
    return trainer.server.model.vector.clone()


class Mixing:
    """What clients keep, and how they mix it, in numpy."""

    def __init__(self, problem, first, rate=1.0):
        self.problem, self.first, self.rate = problem, first, rate
        self.last, self.weights = {}, {}

    def begin(self, x, client, number, purpose="weights"):
        """Where a round begins, its W, and how many batches that took."""
        problem, d = self.problem, self.problem.body
        if client not in self.last:
            return x, None, 0
        mine, weights = self.last[client], self.weights.get(client)
        passes = self.first if weights is None else 1
        weights = np.ones(len(x) - d) if weights is None else weights
        rows = problem.trainer.clients[client].rows
        order = torch.randperm(len(rows), generator=torch_stream(0, number, client, purpose))
        rows = rows[order[: int(0.8 * len(rows))]]
        theta, taken = x.copy(), 0
        theta[d:] = mine + (x[d:] - mine) * weights
        for one in range(passes):
            generator = torch_stream(0, number, client, f"{purpose} {one}")
            for part in batches(rows, 4, generator, 1, None):
                slope = problem.gradient(theta, part.numpy())[d:] * (x[d:] - mine)
                weights = np.clip(weights - self.rate * slope, 0, 1)
                theta[d:] = mine + (x[d:] - mine) * weights
                taken += 1
        return theta, weights, taken


def test_mixtures_by_hand():
    """Two of three clients a round, of whose networks the head alone is mixed."""
    params = {"first_passes": 3, "weight_rate": 40.0, **NEVER}
    settings = {"rounds": 5, "clients_per_round": 2, "learning_rate": 0.3}
    trainer = federation("fedala", params, model=Parted, **settings)
    problem = Problem(trainer)
    mixing = Mixing(problem, 3, 40.0)
    x, extra = problem.start, [0] * 6
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, ends = problem.participants(number), []
            for k in chosen:
                theta, weights, taken = mixing.begin(x, k, number)
                end = problem.descend(theta, problem.batches(k, number), rate=0.3)
                ends.append(end)
                mixing.last[k] = end[problem.body :]
                if weights is not None:
                    mixing.weights[k] = weights
                extra[number] += taken
            x = problem.share(chosen) @ np.array(ends)
        assert close(seen, x)
    assert any(((w > 0) & (w < 1)).any() for w in mixing.weights.values())
    assert any((w == 0).any() for w in mixing.weights.values())
    assert sum(extra) > 0
    assert [row["gradients"] - row["steps"] for row in trainer.history] == extra
    for k in range(3):
        assert close(own(trainer, k), mixing.begin(x, k, 5, "personal weights")[0])
    assert run_metrics(trainer)["everyone_by"] == "server"


@pytest.mark.parametrize("settings", [{"momentum": 0.9, "clip_norm": 1.0}, {"optimizer": "adamw"}])
def test_no_optimiser_moves_what_weights_are_learned_on(settings):
    """Below the mixed layer stands the server's model, and there it lies between the two."""
    trainer = federation("fedala", model=Parted, weight_decay=0.1, **settings)
    trainer.train()
    x, d = trainer.server.vector, Problem.body
    for k, client in enumerate(trainer.clients):
        mixture, last = own(trainer, k), client.state["top"]
        assert torch.equal(mixture[:d], x[:d])
        assert bool((torch.minimum(last, x[d:]) <= mixture[d:]).all())
        assert bool((torch.maximum(last, x[d:]) >= mixture[d:]).all())
        assert not torch.equal(mixture, x)


def test_with_weights_of_one_it_is_fedavg():
    params = {"fedala": {"weight_rate": 0.0}, "fedavg": {}}
    pair = [federation(name, p, model=Normed, clients_per_round=2) for name, p in params.items()]
    assert all(map(torch.equal, *map(models, pair)))
    assert all(torch.equal(own(pair[0], k), pair[1].server.vector) for k in range(3))


def test_learning_weights_moves_no_statistics():
    """The mixture begins with the server's, and so it does where nothing is learned."""
    params = {"first_passes": 2, **NEVER}
    trainer = federation("fedala", params, model=Normed, rounds=2, evaluate_every=1)
    trainer.train()
    own(trainer, 0)
    assert torch.equal(trainer.server.model.buffers, trainer.server.buffers)
    assert all(p.requires_grad for p in trainer.server.model.module.parameters())


def test_the_first_time_it_learns_until_the_loss_stands_still():
    """8 samples of which 6 are drawn are 2 batches a pass; 3 passes have two further losses."""
    found = {}
    for threshold in (0.0, 1e9):
        params = {"window": 2, "first_passes": 7, "threshold": threshold}
        trainer = federation("fedala", params, sizes=(8, 8), model=Parted, rounds=3)
        trainer.train()
        found[threshold] = [row["gradients"] - row["steps"] for row in trainer.history]
    assert found == {0.0: [0, 0, 2 * 2 * 7, 2 * 2], 1e9: [0, 0, 2 * 2 * 3, 2 * 2]}


def test_the_top_layers_are_the_last_ones_that_have_parameters():
    head, norm = {"head.weight", "head.bias"}, {"body.1.weight", "body.1.bias"}
    assert top_names(Grouped(), 1) == head
    assert top_names(Grouped(), 2) == head | norm
    assert top_names(Grouped(), 9) == head | norm | {"body.0.weight", "body.0.bias"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"share": 0.0}, "`share`: .* greater than 0"),
        ({"layers": 0}, "`layers`: .* greater than or equal to 1"),
        ({"weight_rate": -1.0}, "`weight_rate`: .* greater than or equal to 0"),
    ],
)
def test_hyper_parameters_that_make_no_sense(params, words):
    with pytest.raises(MedflError, match=words):
        federation("fedala", params)
