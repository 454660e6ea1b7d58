"""Ditto and fine-tuning: personal models against loops of their own."""

from __future__ import annotations

import copy

import pytest
import torch
from federations import Normed, federation, models
from softmax import Softmax, close
from torch import nn

from medfl.algorithms.fedavg import FedAvg
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedServer, FederatedTrainer
from medfl.federated.outcome import run_metrics

LAM = 0.7


def personal(trainer, client):
    trainer.server.algorithm.personal_model(trainer.clients[client], trainer.server.model)
    return trainer.server.model.vector.clone()


def test_the_global_model_of_both_is_fedavg():
    plain = models(federation(model=Normed, clients_per_round=2))
    for name in ("ditto", "finetune"):
        other = models(federation(name, model=Normed, clients_per_round=2))
        assert all(torch.equal(a, b) for a, b in zip(plain, other, strict=True))


def test_ditto_by_hand():
    trainer = federation("ditto", {"lam": LAM}, rounds=4, clients_per_round=2, local_epochs=2)
    problem = Softmax(trainer)
    seen = models(trainer)
    own = {}
    for number in range(1, 5):
        x = seen[number - 1].numpy()
        for k in problem.participants(number):
            steps = problem.batches(k, number, "personal")
            assert len(steps) == len(problem.batches(k, number)), "as many steps as the global one"
            own[k] = problem.descend(own.get(k, x), steps, correction=lambda v, x=x: LAM * (v - x))
    for k in range(3):
        assert close(personal(trainer, k), own.get(k, seen[-1].numpy()))
    assert len({tuple(v) for v in own.values()}) == len(own) >= 2


def test_ditto_with_batch_norm_against_a_plain_loop():
    trainer = federation("ditto", {"lam": LAM}, model=Normed)
    problem = Softmax(trainer)
    own = [copy.deepcopy(trainer.server.model.module).train() for _ in range(3)]
    for number, x in enumerate(models(trainer)[:-1], start=1):
        for k, module in enumerate(own):
            optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
            for rows in problem.batches(k, number, "personal"):
                images, labels = trainer.data.batch(torch.from_numpy(rows))
                away = nn.utils.parameters_to_vector(module.parameters()) - x
                loss = nn.functional.cross_entropy(module(images), labels)
                optimizer.zero_grad()
                (loss + LAM / 2 * away.square().sum()).backward()
                optimizer.step()
    for k, module in enumerate(own):
        vector = nn.utils.parameters_to_vector(module.parameters())
        assert torch.allclose(personal(trainer, k), vector, rtol=0, atol=1e-10)
        statistics = torch.cat([module.body[1].running_mean, module.body[1].running_var])
        assert torch.allclose(trainer.server.model.buffers, statistics, rtol=0, atol=1e-10)


def test_ditto_keeps_statistics_apart():
    trainer = federation("ditto", model=Normed)
    trainer.train()
    states = [client.state["personal_buffers"] for client in trainer.clients]
    assert not torch.equal(states[0], states[1])
    plain = federation(model=Normed)
    plain.train()
    assert torch.equal(trainer.server.buffers, plain.server.buffers)


@pytest.mark.parametrize(("params", "rate"), [({}, 0.1), ({"tuning_rate": 0.03}, 0.03)])
@pytest.mark.parametrize(
    "schedule", [{}, {"lr_schedule": "cosine"}, {"lr_schedule": "step"}, {"warmup_rounds": 5}]
)
def test_fine_tuning_by_hand(params, rate, schedule):
    trainer = federation("finetune", {"epochs": 2, **params}, rounds=3, **schedule)
    problem = Softmax(trainer)
    x = models(trainer)[-1].numpy()
    for k in range(3):
        steps = problem.batches(k, 3, "finetune", epochs=2)
        # The rate is that of `training`, whatever the schedule has made of it.
        assert close(personal(trainer, k), problem.descend(x, steps, rate=rate))


def test_fine_tuning_also_reaches_clients_that_were_never_sampled():
    trainer = federation("finetune", rounds=1, clients_per_round=1)
    trainer.train()
    for k in range(3):
        assert not torch.equal(personal(trainer, k), trainer.server.vector)


@pytest.mark.parametrize("name", ["ditto", "finetune", "fedbn", "local"])
def test_each_client_is_judged_by_its_own_model_on_its_own_data(name):
    trainer = federation(name, model=Normed, rounds=3, learning_rate=0.3)
    trainer.train()
    result = trainer.evaluator.evaluate()
    right = total = 0
    for k, client in enumerate(trainer.clients):
        personal(trainer, k)
        module = trainer.server.model.module.eval()
        rows = trainer.data.indices(client.id, "test")
        with torch.no_grad():
            guess = module(trainer.data.inputs(rows)).argmax(dim=1)
        hits = int((guess == trainer.data.labels[rows]).sum())
        assert result.clients[k]["test"]["accuracy"] == hits / len(rows)
        right, total = right + hits, total + len(rows)
    assert result.pooled["test"]["accuracy"] == pytest.approx(right / total, abs=1e-12)


@pytest.mark.parametrize("name", ["ditto", "finetune", "fedbn", "local"])
def test_for_everyone_one_model_is_judged_or_each_clients_and_the_mean_taken(name):
    trainer = federation(name, model=Normed, rounds=3, learning_rate=0.3)
    trainer.train()
    assert trainer.evaluator.evaluate().everyone is None, "it costs a pass for each client"
    everyone = trainer.last[1].everyone
    model, rows = trainer.server.model, trainer.data.pooled("test")

    def share_of_hits():
        with torch.no_grad():
            guess = model.module.eval()(trainer.data.inputs(rows)).argmax(dim=1)
        return float((guess == trainer.data.labels[rows]).double().mean())

    if name in ("ditto", "finetune"):  # their server has a whole model
        trainer.server.load(model, trainer.server.vector, trainer.server.buffers)
        found = [share_of_hits()]
    else:
        found = [personal(trainer, k) is None or share_of_hits() for k in range(3)]
        assert len(set(found)) > 1
    assert everyone["accuracy"] == pytest.approx(sum(found) / len(found), abs=1e-12)
    assert everyone["n"] == len(rows)
    assert isinstance(everyone["n"], int)
    record = run_metrics(trainer)
    assert record["everyone_by"] == ("server" if len(found) == 1 else "clients")
    assert record["last"]["everyone"]["accuracy"] == everyone["accuracy"]


def test_fedbn_without_batch_norm_has_one_model_for_everyone():
    trainer = federation("fedbn")
    trainer.train()
    assert run_metrics(trainer)["everyone_by"] == "server"
    assert trainer.last[1].everyone["accuracy"] == trainer.last[1].pooled["test"]["accuracy"]


def test_an_algorithm_that_keeps_layers_local_has_no_global_model():
    class Head(FedAvg):
        def local_names(self, model):
            return {"head.weight", "head.bias"}

    with pytest.raises(MedflError, match=r'Head keeps a part .*`evaluated = "personal"`'):
        own(Head)
    Head.evaluated = "personal"
    trainer = own(Head)
    trainer.train()
    assert run_metrics(trainer)["everyone_by"] == "clients"


def own(kind):
    """A federation of an algorithm that is in no registry."""
    data = federation(model=Normed).data
    config = FederatedConfig(num_clients=3, rounds=1)
    server = FederatedServer(config, data, Normed().double(), kind())
    return FederatedTrainer(config, server, [FederatedClient(k, data) for k in data.clients])


def test_ditto_leaves_what_was_received_as_it_was_sent():
    """Training the personal model must not put the server's own vectors in its place."""
    trainer = federation("ditto", {"lam": LAM}, model=Normed, rounds=1)
    client, server = trainer.clients[1], trainer.server
    sent = server.open(1)
    message, _ = client.train(server.model, sent)
    assert client.received.keys() == sent.keys()
    for name, part in sent.items():
        assert client.received[name] is part.value
        assert message.parts[name].base is part.value
