"""Centralised and local-only training, and the work and the statistics of every arm."""

from __future__ import annotations

import pytest
import torch
from federations import ALGORITHMS, Linear, Normed, federation, models, small_store
from links import watch
from softmax import Softmax, close

from medfl.chain import STATISTICS
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics


def build(name, **settings):
    return federation(name.split("-")[0], ALGORITHMS[name], **settings)


def test_local_models_never_meet():
    trainer = federation("local", local_epochs=2, clients_per_round=1, momentum=0.5)
    problem = Softmax(trainer)
    own = [problem.start] * 3
    assert len(models(trainer)[-1]) == 0  # nothing is shared
    # Two epochs are 4, 8 and 6 steps, and one of three clients would be sampled: so everyone trains
    # every round, and takes a third of these steps, rounded when they are added up.
    for number, steps in enumerate([(1, 3, 2), (2, 2, 2), (1, 3, 2)], start=1):
        for k in range(3):
            batches = problem.batches(k, number, steps=steps[k])
            assert len(batches) == steps[k]
            own[k] = problem.descend(own[k], batches, 0.1, 0.5)
    for k, client in enumerate(trainer.clients):
        client.receive(trainer.server.model)
        assert close(trainer.server.model.vector, own[k])
    assert trainer.history[-1]["bytes_total"] == 0


def test_local_statistics_never_meet():
    trainer = federation("local", model=Normed)
    model, start = trainer.server.model, trainer.server.model.buffers.clone()
    trainer.train()
    trainer.server.load(model, trainer.server.vector, trainer.server.buffers)
    assert torch.equal(model.buffers, start)  # the server learns nothing
    own = []
    for client in trainer.clients:
        client.receive(model)
        own.append(tuple(model.buffers.tolist()))
    assert len({tuple(start.tolist()), *own}) == 4


def test_what_no_local_model_can_be_judged_on_stays_undefined():
    store = small_store(60)
    store.labels[36:] %= 2  # class 2 is in nobody's validation or test
    trainer = federation("local", store=store, rounds=1)
    trainer.train()
    last = run_metrics(trainer)["last"]
    for fold in ("val", "test", "everyone"):
        absent = last[fold]["per_class"]["class2"]
        assert absent.pop("n") == 0
        assert set(absent.values()) == {None}
        assert last[fold]["averaged_over"]["auc_macro"] == 2


def test_centralised_pools_all_training_data():
    trainer = federation("centralized", local_epochs=2)
    problem = Softmax(trainer)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            x = problem.descend(x, problem.batches(0, number))
        assert close(seen, x)
    assert [row["steps"] for row in trainer.history] == [0, 18, 18, 18]  # 2 · 36 / 4
    assert run_metrics(trainer)["steps"] == 54  # though every client's entry repeats them all
    assert trainer.history[-1]["bytes_total"] == 0


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"centralized"}))
@pytest.mark.parametrize(
    ("work", "steps"), [({"local_epochs": 2}, (4, 8, 6)), ({"local_steps": 5}, (5, 5, 5))]
)
def test_every_arm_takes_the_same_local_work(name, work, steps):
    trainer = build(name, model=Normed, rounds=2, **work)
    trainer.train()
    if name == "fedrep":  # and as much again for the head
        steps = tuple(2 * s for s in steps)
    assert [client.steps for client in trainer.clients] == [2 * s for s in steps]
    assert [row["steps"] for row in trainer.history] == [0, sum(steps), sum(steps)]
    last = {row["client"]: row["steps"] for row in trainer.client_history if row["round"] == 2}
    assert [last[k] for k in range(3)] == [2 * s for s in steps]


AVERAGED = ["fedavg", "fedprox", "fednova", "scaffold", "scaffold-1", "fedavgm", "fedadam"]
AVERAGED += ["fedyogi", "fedadagrad", "fedexp", "fedlws", "qfedavg", "fedlc"]
AVERAGED += ["moon", "ditto", "finetune"]


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("name", [*AVERAGED, "feddyn"])
def test_statistics_are_averaged(name, weighting):
    trainer = build(name, model=Normed, rounds=3, weighting=weighting, clients_per_round=2)
    messages, calls = watch(trainer), []

    def check(row):
        if row["round"] == 0:
            return
        sent = messages[row["round"]]
        weights = [1 if weighting == "uniform" else len(trainer.clients[k].rows) for k in sent]
        means = [message.parts[STATISTICS].value for message in sent.values()]
        mean = sum(w * b for w, b in zip(weights, means, strict=True)) / sum(weights)
        assert not torch.equal(means[0], means[1])
        assert torch.allclose(trainer.server.buffers, mean, rtol=0, atol=1e-12)
        calls.append(1)

    trainer.on_round = check
    trainer.train()
    assert len(calls) == 3


@pytest.mark.parametrize("name", ["scaffold", "fednova"])
@pytest.mark.parametrize("settings", [{"optimizer": "adam"}, {"clip_norm": 1.0}])
def test_what_reads_the_steps_refuses_other_steps(name, settings):
    with pytest.raises(MedflError, match=rf"{name}.*optimizer to sgd"):
        build(name, **settings)


READ_STEPS = {"scaffold", "scaffold-1", "fednova", "qfedavg"}


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - READ_STEPS))
def test_the_others_train_with_adam_and_clipping(name, optimizer):
    trainer = build(
        name, model=Normed, optimizer=optimizer, clip_norm=1.0, learning_rate=0.01, rounds=2
    )
    trainer.train()
    assert trainer.status == "completed"
    assert trainer.history[2]["train_loss"] < trainer.history[1]["train_loss"]


def test_clipping_limits_a_step():
    # One step of plain gradient descent from the start: its length is rate · limit.
    trainer = federation(sizes=(12,), rounds=1, batch_size=100, clip_norm=1e-3, model=Linear)
    start, end = models(trainer)
    assert float((end - start).norm()) == pytest.approx(0.1 * 1e-3, rel=1e-3)


def test_clipping_limits_a_step_with_its_correction():
    # 3 steps of at most rate · limit; the pull 1e4 · (y − x) alone would go 1000 times as far.
    trainer = federation("fedprox", {"mu": 1e4}, sizes=(12,), rounds=1, clip_norm=1e-3)
    start, end = models(trainer)
    assert float((end - start).norm()) <= 3 * 0.1 * 1e-3 * (1 + 1e-9)
