"""Runs with DP-SGD: budgets, records, columns, and what goes with it."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from federations import small_store, split_of
from goldens import Pooled
from private_runs import VOID, patients_store, private
from torch import nn

from medfl import DPFederatedLearning
from medfl.federated.outcome import run_metrics, write_record
from medfl.privacy.accounting import epsilon_of
from medfl.results.frames import read_clients, read_rounds
from medfl.results.schema import Record
from medfl.store import Sample, write_store

NOISED = {"noise_multiplier": 1.0}


def test_what_a_run_says_of_itself():
    """Three clients of 8, 16 and 12 images: 10, 20 and 10 in public; 4 expected a step."""
    trainer = private("fedavg", params={**NOISED, "max_grad_norm": 0.5}, rounds=2, evaluate_every=1)
    trainer.train()
    one = [epsilon_of(1.0, 0.4, steps, 1e-5) for steps in (3, 6)]
    other = [epsilon_of(1.0, 0.2, steps, 1e-5) for steps in (3, 6)]
    assert [row.get("epsilon") for row in trainer.history[1:]] == one
    assert "epsilon" in [column.name for column in trainer.columns]
    found = {(r["round"], r["client"]): r["epsilon"] for r in trainer.client_history}
    assert [found[number, 0] for number in (0, 1, 2)] == [0.0, *one]
    assert [found[number, 1] for number in (0, 1, 2)] == [0.0, *other]
    assert all(row["train_loss"] is None for row in trainer.history[1:])
    record = trainer.server.chain.record()["dp_image"]
    assert record["clients"]["1"] == {
        "public_size": 20,
        "sampling_rate": 0.2,
        "expected_sample": 4.0,
        "noise_multiplier": 1.0,
        "steps": 6,
        "epsilon": other[1],
        "spent_from_round": None,
    }
    claim = run_metrics(trainer)["privacy"]
    assert (claim["mechanism"], claim["unit"], claim["delta"]) == ("dp_image", "image", 1e-5)
    assert claim["epsilon"] == one[1]
    assert claim["adjacency"] == "one image more or less at a client"
    assert run_metrics(trainer)["normalization"] == {"mean": [0.5], "std": [0.5]}
    assert Record.model_fields["privacy"].annotation.model_validate(claim).unit == "image"


def test_what_an_epsilon_protects_stands_beside_it_in_each_row(tmp_path):
    store = patients_store(60)
    object.__setattr__(store.info, "group", "lesion")
    trainer = private("fedavg", "dp_patient", NOISED, store=store, rounds=2, evaluate_every=1)
    trainer.train()
    write_record(tmp_path, trainer, {}, {})
    for name, read in (("rounds.csv", read_rounds), ("clients.csv", read_clients)):
        head, *lines = (tmp_path / name).read_text().splitlines()
        assert head.endswith(",epsilon,privacy_unit")
        assert {line.rsplit(",", 1)[1] for line in lines} == {"lesion"}
        table = read(tmp_path)
        assert set(table["privacy_unit"]) == {"lesion"}
        assert table["epsilon"].max() == trainer.server.chain.privacy()["epsilon"]


def test_the_store_says_what_its_groups_are():
    store = patients_store(60)
    object.__setattr__(store.info, "group", "lesion")
    trainer = private("fedavg", "dp_patient", NOISED, store=store)
    assert trainer.server.chain.privacy()["unit"] == "lesion"
    assert "each lesion's gradient counts cut to norm 1" in trainer.server.objective
    assert trainer.server.chain.links[0].count(trainer.data, 1) == 10


@pytest.mark.slow
def test_noise_follows_from_a_budget():
    """Each client gets the least noise that keeps all its rounds within ε 3."""
    params = {"target_epsilon": 3.0, "target_delta": 1e-4}
    trainer = private("fedavg", params=params, rounds=4, clients_per_round=2)
    trainer.train()
    taken = [client.steps for client in trainer.clients]
    assert sorted(taken) != [taken[0]] * 3, "clients take part in different numbers of rounds"
    for number, client in trainer.server.chain.record()["dp_image"]["clients"].items():
        assert client["steps"] == taken[int(number)]
        assert 2.99 < client["epsilon"] <= 3.0
        less = 0.995 * client["noise_multiplier"]
        assert epsilon_of(less, client["sampling_rate"], client["steps"], 1e-4) > 3.0
        assert client["spent_from_round"] is None


def test_a_spent_budget_keeps_its_client_out(caplog):
    """q .4 stops before q .2 does; the run goes on, and the others' average is of themselves."""
    limit = epsilon_of(1.0, 0.4, 6, 1e-5)  # of two rounds
    with caplog.at_level(logging.WARNING):
        trainer = private("fedavg", params={**NOISED, "target_epsilon": limit}, rounds=12)
        seen = []
        trainer.on_round = lambda row: seen.append(trainer.server.vector.clone())
        trainer.train()
    assert [row["participants"] for row in trainer.history[1:4]] == [3, 3, 1]
    clients = trainer.server.chain.record()["dp_image"]["clients"]
    assert (clients["0"]["spent_from_round"], clients["0"]["steps"]) == (3, 6)
    assert clients["0"]["epsilon"] == limit
    last = clients["1"]["spent_from_round"]
    assert 4 < last < 12
    assert (
        epsilon_of(1.0, 0.2, 3 * (last - 1), 1e-5) <= limit < epsilon_of(1.0, 0.2, 3 * last, 1e-5)
    )
    # Nobody is left: rounds without anybody change nothing, and are no error.
    assert trainer.status == "completed"
    assert [row["participants"] for row in trainer.history[last:]] == [0] * (13 - last)
    assert torch.equal(seen[last - 1], seen[-1])
    assert max(row["epsilon"] for row in trainer.history[1:]) == limit
    assert "client 0 has spent its budget and takes no part from round 3 on" in caplog.text


def test_an_empty_sample_is_a_noised_step():
    """1 of 1,000 is expected a step, so that samples are empty; every step is noise / 1."""
    params = {"noise_multiplier": 2.0, "max_grad_norm": 0.5, "size_step": 1000}
    trainer = private("fedavg", params=params, batch_size=1, local_steps=40, rounds=1)
    drawn, moved = [], []
    chain, original = trainer.server.chain, trainer.server.chain.links[0].gradient

    def gradient(client, model, images, labels, backward):
        loss = original(client, model, images, labels, backward)
        drawn.append(len(images))
        moved.append(torch.cat([p.grad.reshape(-1) for p in model.module.parameters()]))
        return loss

    chain.links[0].gradient = gradient
    trainer.train()
    assert trainer.history[1]["steps"] == 120
    empty = torch.stack([one for one, size in zip(moved, drawn, strict=True) if size == 0])
    assert len(empty) > 100
    assert abs(float(empty.std()) - 1.0) < 0.02
    assert len({float(one[0]) for one in empty}) == len(empty)


def test_the_reference_without_privacy_claims_nothing():
    trainer = private()
    trainer.train()
    assert trainer.history[-1]["epsilon"] is None
    claim = run_metrics(trainer)["privacy"]
    assert (claim["epsilon"], claim["mechanism"]) == (None, "dp_image")


def test_adam_noise_and_large_batches():
    """A client with fewer images than a batch takes all of them in every step."""
    trainer = private(params=NOISED, batch_size=16, optimizer="adam", rounds=2)
    trainer.train()
    clients = trainer.server.chain.record()["dp_image"]["clients"]
    assert (clients["0"]["sampling_rate"], clients["0"]["expected_sample"]) == (1.0, 10.0)
    assert clients["0"]["epsilon"] == epsilon_of(1.0, 1.0, 6, 1e-5)
    assert clients["1"]["sampling_rate"] == 0.8


def test_delta_above_one_in_n_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        private(params={**NOISED, "target_delta": 0.07}, rounds=2).train()
    assert caplog.text.count("is not below") == 1
    assert "δ = 0.07 is not below 1/n for the clients 1:" in caplog.text
    caplog.clear()
    private(params={**NOISED, "target_delta": 0.04}).train()
    assert caplog.text == ""


def test_secure_draws_differ_in_every_run():
    params = {**NOISED, "secure": True}
    one, other = private(params=params), private(params=params)
    one.train(), other.train()
    assert not torch.equal(one.server.vector, other.server.vector)
    assert "not to be repeated" in one.server.chain.record()["dp_image"]["randomness"]


# What is refused, with the reason.


def test_one_client_whose_budget_allows_no_round_is_left_out(caplog):
    """One round spends more at q .4 than the two rounds that the budget allows at q .2."""
    budget = epsilon_of(1.0, 0.2, 6, 1e-5)
    assert budget < epsilon_of(1.0, 0.4, 3, 1e-5)
    with caplog.at_level(logging.WARNING):
        trainer = private(params={**NOISED, "target_epsilon": budget})
        trainer.train()
    assert "at the clients 0, 2, which take no part" in caplog.text
    assert "client 0 has spent" not in caplog.text  # it has spent nothing
    assert [row["participants"] for row in trainer.history[1:]] == [1, 1, 0]
    assert trainer.server.chain.record()["dp_image"]["clients"]["2"]["spent_from_round"] == 1


@pytest.mark.parametrize("name", ["ditto", "finetune"])
def test_models_of_which_nothing_flows_back_stay_without_noise(name):
    """What is sent is FedAvg's to the bit; the personal model's steps are no noised ones."""
    trainer, plain = private(name, params=NOISED), private("fedavg", params=NOISED)
    trainer.train(), plain.train()
    assert torch.equal(trainer.server.vector, plain.server.vector)
    assert trainer.history[-1]["epsilon"] == plain.history[-1]["epsilon"]
    purpose = {"ditto": "personal", "finetune": "finetune"}[name]
    said = trainer.server.chain.privacy()["without_noise"]
    assert said == [f"each client's own model ({purpose})"]


def test_local_norms_are_clipped_and_noised_with_the_rest():
    """A client without any image in its samples moves its local norms by noise alone."""
    params = {"noise_multiplier": 2.0, "size_step": 10**6}
    trainer = private("fedbn", params=params, batch_size=1, rounds=1)
    start = trainer.server.shared.take_local(trainer.server.model)[0].clone()
    trainer.train()
    moves = [client.state["local"] - start for client in trainer.clients]
    assert all(len(move) == 8 for move in moves)
    # Three steps of rate .1 with noise of deviation 2 in each entry.
    size = torch.cat(moves).std() / (0.1 * 2.0 * math.sqrt(3))
    assert 0.6 < float(size) < 1.4


def test_models_that_are_not_finite_at_any_client_stop_the_run():
    trainer = private(params={**NOISED, "noise_multiplier": 1e15}, learning_rate=1e200)
    trainer.train()
    assert trainer.status == "diverged"


class Spiteful(nn.Module):
    """Its loss is infinite for one image alone, and so is that image's gradient."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(36, 3)
        self.bright = math.inf

    def forward(self, images):
        flat = images.flatten(1)
        scores = self.head(flat)
        return scores / (flat.sum(1, keepdim=True) != self.bright)


def test_nobody_learns_from_who_drops_out_that_an_image_was_there():
    """A server may choose a model of which one image's loss is infinite. The image adds nothing.

    The client sends the same, to the bit, as where that image's gradient is zero by itself.
    """
    sent = []
    for hidden in (False, True):
        trainer = private(params={**NOISED, "size_step": 8}, model=Spiteful, rounds=1, batch_size=8)
        client, module = trainer.clients[0], trainer.server.model.module
        module.bright = trainer.data.inputs(client.rows[:1]).sum()
        if hidden:
            module.forward = lambda images, m=module: (
                m.head(images.flatten(1)) * (images.flatten(1).sum(1, keepdim=True) != m.bright)
            )
        trainer.server.chain.open(1, [0, 1, 2])
        message, work = client.train(trainer.server.model, trainer.server.open(1))
        assert math.isfinite(work.loss)
        sent.append(message.parts["parameters"].value)
    assert torch.equal(*sent)
    assert bool(torch.isfinite(sent[0]).all())


def grouped_and_pooled():
    model = Pooled()
    model[1] = nn.GroupNorm(2, 4)
    return model


def test_patches_and_augmentation_allow_empty_samples():
    trainer = private(
        params={"noise_multiplier": 1.0, "size_step": 100},
        store=small_store(60, size=12),
        model=grouped_and_pooled,
        patch=8,
        augmentation={"preset": "xray"},
    )
    trainer.train()
    assert trainer.status == "completed"


def test_all_of_the_algorithms_are_known_here():
    """The identity runs over those that compose; the others are refused above."""
    from chains import REFUSED
    from private_runs import APART

    assert set(REFUSED["dp_image"]) - {"fedbn"} | {"local", "centralized"} == APART
    assert VOID["noise_multiplier"] == 0


@pytest.mark.parametrize(
    ("name", "link"),
    [("fedbn", "dp_patient"), ("fedavg", "dp_image"), ("scaffold", "dp_image")],
)
def test_with_secure_aggregation_and_local_layers(name, link):
    """Masks hide each noised message; the sum, and ε, are those without masks."""
    params = {**NOISED, "target_epsilon": 20.0}
    masks = {"bounds": {"delta_c": 20.0}, "ring_bits": 64, "weight_unit": 1e-5}
    plain = private(name, link, params)
    masked = private(name, chain={"links": {link: params, "secure_aggregation": masks}})
    plain.train(), masked.train()
    assert masked.status == "completed"
    assert torch.allclose(plain.server.vector, masked.server.vector, rtol=0, atol=1e-9)
    assert not torch.equal(plain.server.vector, masked.server.vector)
    assert masked.history[-1]["epsilon"] == plain.history[-1]["epsilon"]
    assert masked.server.chain.privacy()["unit"] == link.removeprefix("dp_")


def test_images_on_the_disk_allow_empty_samples(tmp_path):
    """They are read ahead, so that samples are drawn before the steps before them."""
    memory = small_store(60, size=8)
    info, rows = memory.info, zip(memory.ids, memory.labels, memory.groups, strict=True)
    samples = [Sample(str(one), (info.classes[k],), str(group)) for one, k, group in rows]
    store = write_store(tmp_path / "store", info, samples, memory.images)
    split, found = split_of(store, [8, 16, 12]), []
    for place in ("memory", "disk"):
        learning = DPFederatedLearning(
            {
                "num_clients": 3,
                "rounds": 2,
                "local_steps": 6,
                "batch_size": 4,
                "images": place,
                "augmentation": {"preset": "xray"},
            },
            {**NOISED, "size_step": 50, "views": 2},
        )
        learning.train(store, split)
        found.append(learning.trainer.server.vector)
    assert torch.equal(*found)
