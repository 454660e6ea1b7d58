"""What the engine reads of a message beside its parts: nothing that masks or an ε shall hide."""

from __future__ import annotations

import pytest
from chains import LINKS, build
from federations import Grouped

from medfl.federated.outcome import run_metrics

SIZES = (20, 24, 28, 16)
MASKS = LINKS["secure_aggregation"]["links"]
NOISE = {"dp_image": {"noise_multiplier": 1.0, "max_grad_norm": 1.0}}


HOSPITAL = {"dp_hospital": {"noise_multiplier": 1.0, "max_noise_ratio": 1e9}}
HIDDEN = {
    "dp_hospital": {**HOSPITAL["dp_hospital"], "noise": "distributed"},
    "secure_aggregation": {"ring_bits": 64},
}


def trained(links, monkeypatch, name="fedavg", **settings):
    """The run, and every message as it leaves its client."""
    settings = {"sizes": SIZES, "model": Grouped, "normalization": "group", **settings}
    trainer = build(name, {"links": links}, rounds=2, **settings)
    sent, send = [], trainer.server.chain.message

    def message(client, before):
        sent.append(send(client, before))
        return sent[-1]

    monkeypatch.setattr(trainer.server.chain, "message", message)
    trainer.train()
    return trainer, sent


def test_under_masks_passes_over_the_data_leave_no_steps(monkeypatch):
    """Batches of 4: 20, 24, 28 and 16 samples are 5, 6, 7 and 4 steps, by which they are known."""
    trainer, sent = trained(MASKS, monkeypatch, local_epochs=1, batch_size=4)
    assert [client.steps for client in trainer.clients] == [10, 12, 14, 8]
    told = {(one.loss, one.steps, one.gradients, one.weight, one.size) for one in sent}
    assert told == {(None, None, None, 1.0, sent[0].size)}
    row = trainer.history[2]
    assert (row["train_loss"], row["steps"], row["gradients"]) == (None, None, None)
    assert {one["steps"] for one in trainer.client_history} == {None}
    record = run_metrics(trainer)
    assert record["steps"] is None
    assert {client["steps"] for client in record["clients"].values()} == {None}


def test_under_masks_steps_that_are_the_same_for_all_are_counted(monkeypatch):
    trainer, sent = trained(MASKS, monkeypatch, local_steps=3)
    assert {(one.loss, one.steps, one.weight) for one in sent} == {(None, 3, 1.0)}
    assert [row["steps"] for row in trainer.history] == [0, 12, 12]
    assert run_metrics(trainer)["steps"] == 24


@pytest.mark.parametrize("links", [NOISE, NOISE | MASKS])
def test_under_an_epsilon_the_loss_stays_and_steps_are_public(links, monkeypatch):
    trainer, sent = trained(links, monkeypatch, local_steps=3)
    assert {(one.loss, one.steps) for one in sent} == {(None, 3)}
    assert {row["train_loss"] for row in trainer.history[1:]} == {None}


@pytest.mark.parametrize("links", [MASKS, LINKS["ckks"]["links"], HOSPITAL, HOSPITAL | HIDDEN])
def test_a_pass_over_all_samples_is_not_counted(links, monkeypatch):
    """SCAFFOLD's option 1 takes a gradient of all: 5, 6, 7 and 4 batches more tell who has what."""
    settings = {"name": "scaffold-1", "local_steps": 3, "batch_size": 4, "weighting": "uniform"}
    plain, sent = trained({}, monkeypatch, **settings)
    assert [one.gradients for one in sent] == [8, 9, 10, 7] * 2
    assert plain.history[1]["gradients"] == 34
    trainer, sent = trained(links, monkeypatch, **settings)
    assert {(one.loss, one.steps, one.gradients) for one in sent} == {(None, 3, None)}
    assert [(row["steps"], row["gradients"]) for row in trainer.history[1:]] == [(12, None)] * 2
    # Where every pass is as many steps as any other's, it is counted.
    trainer, _ = trained(links, monkeypatch, **{**settings, "name": "ditto"})
    assert [row["gradients"] for row in trainer.history[1:]] == [24, 24]


def test_in_the_clear_all_of_it_is_read(monkeypatch):
    trainer, sent = trained({}, monkeypatch, local_epochs=1, batch_size=4)
    assert [one.steps for one in sent] == [5, 6, 7, 4] * 2
    assert trainer.history[1]["steps"] == 22
    assert trainer.history[1]["train_loss"] > 0
