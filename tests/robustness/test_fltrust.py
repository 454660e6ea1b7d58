"""FLTrust: its rule by hand, its root set, and a round worked out by another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from byzantine import combine
from chains import FEDERATED, REFUSED
from federations import ALGORITHMS, Linear, Normed, federation, small_store, split_of
from links import watch
from torch.nn.functional import cross_entropy

from medfl.chain import STATISTICS, Message, Part
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import FederatedData, FederatedServer
from medfl.federated.outcome import run_metrics
from medfl.federated.root import with_root_set
from medfl.robustness.fltrust import FLTrust

SIX = (8, 16, 12, 6, 10, 9)
CHAIN = {"rule": "fltrust", "rule_params": {"root_patients": 7}}


def trusting(root, name="a"):
    """A rule whose server has trained already."""
    rule = FLTrust()
    part = Part(torch.tensor(root, dtype=torch.float64), 1.0)
    rule._root = rule.round, Message(-1, {name: part}, 1.0, 0.0, 1, 1)
    return rule


def test_trust_by_hand():
    """(1, 1) is trusted by cos 45° and becomes (√2, √2); (−1, 0) is not; (½, 0) becomes (2, 0)."""
    total = combine(trusting([2.0, 0.0]), [[1.0, 1.0], [-1.0, 0.0], [0.5, 0.0]], (5, 1, 2))
    assert total.weight == 8
    assert total.mean.tolist() == pytest.approx([3 / (1 + 0.5**0.5), 1 / (1 + 0.5**0.5)])


def test_nobody_is_trusted_and_nothing_moves():
    base = torch.tensor([7.0, 7.0], dtype=torch.float64)
    values = [[-1.0, 0.0], [0.0, 3.0], [0.0, 0.0]]
    rule = trusting([9.0, 7.0])  # from the base (2, 0)
    total = combine(rule, np.add(values, [7.0, 7.0]), base=base)
    assert total.mean.tolist() == [7.0, 7.0]


def test_statistics_are_never_scaled_up():
    rule = trusting([4.0], STATISTICS)
    combination = rule.start()
    for client, value in enumerate((1.0, 8.0)):
        part = Part(torch.tensor([value], dtype=torch.float64), 1.0)
        combination.add(Message(client, {STATISTICS: part}, 1.0, 0.0, 1, 1))
    assert combination.total()[STATISTICS].mean.item() == pytest.approx((1 + 4) / 2)


def test_the_root_set_is_taken_from_the_clients():
    """Seven patients, who are in no client's training fold, and the others as they were."""
    store = small_store(sum(SIX) + 48)
    split = split_of(store, list(SIX))
    config = FederatedConfig(chain=CHAIN, num_clients=6)
    dealt = with_root_set(split, store.groups, config)
    root = np.flatnonzero(dealt.folds == "root")
    assert len(root) == 7
    assert (split.folds[root] == "train").all()
    rest = np.setdiff1d(np.arange(len(store)), root)
    assert np.array_equal(dealt.folds[rest], split.folds[rest])
    assert np.array_equal(dealt.clients, split.clients)
    again = with_root_set(split, store.groups, FederatedConfig(chain=CHAIN, learning_rate=0.7))
    assert np.array_equal(again.folds, dealt.folds)
    other = with_root_set(split, store.groups, FederatedConfig(chain=CHAIN, seed=5))
    assert not np.array_equal(other.folds, dealt.folds)
    assert with_root_set(split, store.groups, FederatedConfig()) is split


def test_every_client_keeps_a_patient():
    store = small_store(80)
    split = split_of(store, [1, 2, 10])
    chain = {"rule": "fltrust", "rule_params": {"root_patients": 10}}
    dealt = with_root_set(split, store.groups, FederatedConfig(chain=chain))
    assert [len(dealt.indices(client, "train")) for client in range(3)] == [1, 1, 1]
    chain["rule_params"]["root_patients"] = 11
    with pytest.raises(MedflError, match=r"takes 11 patients .* only 10 can be spared"):
        with_root_set(split, store.groups, FederatedConfig(chain=chain))


def test_patients_are_taken_whole():
    store = small_store(80)
    store.groups = np.array([f"g{i // 4}" for i in range(80)])
    split = split_of(store, [12, 16, 8])
    chain = {"rule": "fltrust", "rule_params": {"root_patients": 3}}
    dealt = with_root_set(split, store.groups, FederatedConfig(chain=chain))
    assert (dealt.folds == "root").sum() == 12
    assert not set(store.groups[dealt.folds == "root"]) & set(store.groups[dealt.folds == "train"])


@pytest.mark.parametrize("attackers", [0, 2])
def test_a_round_by_hand(attackers):
    """One step on all samples of each client, and of the root set, by a gradient taken here."""
    links = {"sign_flip": {"scale": 5.0}} if attackers else {}
    chain = {**CHAIN, "attackers": attackers, "links": links}
    trainer = federation(
        chain=chain, sizes=SIX, rounds=1, local_epochs=None, local_steps=1, batch_size=1000
    )
    start, data, network = trainer.server.vector.clone(), trainer.data, trainer.server.model

    def update(rows):
        trainer.server.load(network, start, trainer.server.buffers)
        loss = cross_entropy(network.module(data.inputs(rows)), data.labels[rows])
        grads = torch.autograd.grad(loss, list(network.module.parameters()))
        return -0.1 * torch.cat([one.reshape(-1) for one in grads])

    root = update(data.root)
    moved, trust = torch.zeros_like(start), 0.0
    bad = trainer.server.chain.links[0].attackers if attackers else ()
    for client in range(6):
        own = update(data.indices(client, "train")) * (-5.0 if client in bad else 1.0)
        cosine = max(0.0, float(own @ root / own.norm() / root.norm()))
        moved += cosine * own / own.norm() * root.norm()
        trust += cosine
    trainer.train()
    assert torch.allclose(trainer.server.vector, start + moved / trust, rtol=0, atol=1e-12)


def test_the_root_set_trains_once_a_round_and_leaves_no_trace():
    trainer = federation(chain=CHAIN, sizes=SIX)
    sent = watch(trainer)
    counted = []
    train = trainer.server.root.train
    trainer.server.root.train = lambda *a: (counted.append(trainer.server.round), train(*a))[1]
    trainer.train()
    assert counted == [1, 2, 3]
    assert all(sorted(messages) == list(range(6)) for messages in sent.values())
    assert {row["participants"] for row in trainer.history[1:]} == {6}
    record = run_metrics(trainer)
    assert record["robustness"]["root_patients"] == 7
    assert sum(client["n_train"] for client in record["clients"].values()) == sum(SIX) - 7
    assert "its root set is 7 patients" in trainer.server.chain.rule.note


@pytest.mark.parametrize("name", sorted(set(REFUSED["fltrust"]) - set(REFUSED["median"])))
def test_what_keeps_state_with_clients_is_refused(name):
    algorithm = name.split("-")[0]
    with pytest.raises(MedflError, match="keeps something with each client, so fltrust"):
        federation(algorithm, ALGORITHMS[name], chain=CHAIN, sizes=SIX, model=Normed)


def test_only_what_keeps_something_is_refused():
    """Every other algorithm trains under it, so none of them was forgotten."""
    for name in set(FEDERATED) - set(REFUSED["fltrust"]):
        settings = {"chain": CHAIN, "rounds": 1, "model": Normed}
        trainer = federation(name.split("-")[0], ALGORITHMS[name], **settings)
        trainer.train()
        assert trainer.status == "completed"


def test_without_a_root_set_it_is_refused():
    store = small_store(sum(SIX) + 48)
    config = FederatedConfig(chain=CHAIN, num_clients=6)
    data = FederatedData(store, split_of(store, list(SIX)))
    with pytest.raises(MedflError, match="the rule fltrust has no root set"):
        FederatedServer(config, data, model=Linear())


def test_beside_differential_privacy_it_is_refused():
    chain = {**CHAIN, "links": {"dp_image": {"noise_multiplier": 1.0}}}
    with pytest.raises(MedflError, match="of whom dp_image keeps no account"):
        federation(chain=chain, sizes=SIX, local_epochs=None, local_steps=2)
