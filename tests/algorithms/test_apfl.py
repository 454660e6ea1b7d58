"""APFL: a model of each client's own, mixed with the global one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close

from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics

FIXED = {"adaptive": False}


def own(trainer, client):
    model = trainer.server.model
    trainer.server.algorithm.personal_model(trainer.clients[client], model)
    return model.vector.clone(), model.buffers.clone()


@pytest.mark.parametrize("adaptive", [False, True])
def test_rounds_by_hand(adaptive):
    """Every batch moves w and v at once; α moves at the first batch of a client's round."""
    params = {"alpha": 0.3, "adaptive": adaptive}
    trainer = federation("apfl", params, rounds=4, clients_per_round=2, local_epochs=2)
    problem = Softmax(trainer)
    x, kept, shares = problem.start, {}, dict.fromkeys(range(3), 0.3)
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, ends = problem.participants(number), []
            for k in chosen:
                w, v, a = x.copy(), kept.get(k, x), shares[k]
                for step, rows in enumerate(problem.batches(k, number)):
                    at_mixture = problem.gradient(a * v + (1 - a) * w, rows)
                    slope = at_mixture @ (v - w)
                    v = v - 0.1 * a * at_mixture
                    w = w - 0.1 * problem.gradient(w, rows)
                    if adaptive and step == 0:
                        a = np.clip(a - 0.1 * slope, 0, 1)
                ends.append(w)
                kept[k], shares[k] = v, a
            x = problem.share(chosen) @ np.array(ends)
        assert close(seen, x)
    for k in range(3):
        mixture = shares[k] * kept[k] + (1 - shares[k]) * x if k in kept else x
        assert close(own(trainer, k)[0], mixture)
    assert (len(set(shares.values())) > 1) == adaptive
    row = trainer.history[1]
    assert row["gradients"] == 2 * row["steps"]
    assert run_metrics(trainer)["everyone_by"] == "server"
    assert run_metrics(trainer)["extra_work"] == "its own model as much, on the same batches"


def test_the_global_model_is_that_of_fedavg():
    pair = [
        models(federation(name, model=Normed, clients_per_round=2)) for name in ("apfl", "fedavg")
    ]
    assert all(map(torch.equal, *pair))


def test_with_nothing_of_its_own_a_client_uses_the_servers_model():
    trainer = federation("apfl", {"alpha": 0.0, **FIXED}, model=Normed)
    trainer.train()
    assert all(torch.equal(own(trainer, k)[0], trainer.server.vector) for k in range(3))


def test_with_its_own_alone_a_client_is_as_if_it_had_trained_alone():
    apfl = federation("apfl", {"alpha": 1.0, **FIXED}, model=Normed)
    local = federation("local", model=Normed)
    apfl.train(), local.train()
    for k in range(3):
        assert all(map(torch.equal, own(apfl, k), own(local, k)))


@pytest.mark.parametrize(("alpha", "away", "end"), [(0.99, -0.2, 1.0), (0.1, 100.0, 0.0)])
def test_the_share_stays_between_nothing_and_all(alpha, away, end):
    """Where v lies down the slope from w, α would grow beyond 1; where it lies up, fall below 0."""
    trainer = federation("apfl", {"alpha": alpha}, rounds=1)
    problem = Softmax(trainer)
    for k, client in enumerate(trainer.clients):
        slope = problem.gradient(problem.start, problem.batches(k, 1)[0])
        client.state["v"] = torch.from_numpy(problem.start + away * slope)
        client.state["v_buffers"] = trainer.server.buffers
        client.state["alpha"] = torch.tensor([alpha])
    trainer.train()
    assert {float(client.state["alpha"]) for client in trainer.clients} == {end}


def test_only_what_is_never_sent_may_be_trained_beside():
    trainer = federation("fedavg")
    with pytest.raises(MedflError, match="'mine' is not among the `unshared_descents` of FedAvg"):
        trainer.clients[0].stepping(trainer.server.model, "mine")


def test_a_share_beyond_one_is_refused():
    with pytest.raises(MedflError, match=r"`alpha`: .* less than or equal to 1"):
        federation("apfl", {"alpha": 1.5})
