"""Whole federations under attack, against ones in which the same was done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chains import LINKS, build, runs_alike
from federations import Normed, federation, models, small_store, split_of
from links import watch

from medfl.chain import PARAMETERS, STATISTICS
from medfl.federated.outcome import run_metrics
from medfl.robustness.record import attacks_that_are_none, robustness_of

SIX = (8, 16, 12, 6, 10, 9)
ATTACKS = sorted(word for word, chain in LINKS.items() if "attackers" in chain)


def attacked(word, params=None, attackers=2, **settings):
    chain = {"links": {word: params or {}}, "attackers": attackers}
    return federation(chain=chain, sizes=SIX, **settings)


def changed_by_hand(change, **settings):
    """A federation without attack whose attackers' training samples ``change`` has changed."""
    reference = attacked("sign_flip", store=small_store(sum(SIX) + 48))
    store = small_store(sum(SIX) + 48)
    split = split_of(store, list(SIX))
    bad = sorted(reference.server.chain.links[0].attackers)
    rows = np.flatnonzero(np.isin(split.clients, bad) & (split.folds == "train"))
    change(store, rows)
    return federation(sizes=SIX, store=store, **settings)


def flip(store, rows):
    store.labels[rows] = 2 - store.labels[rows]


def shift(store, rows):
    store.labels[rows] = (store.labels[rows] + 1) % 3


def invert(store, rows):
    store.images[rows] = 255 - store.images[rows]


def mark(store, rows):
    """The square of 2 pixels, one from the lower right corner of 6 × 6."""
    store.images[rows, :, 3:5, 3:5] = 255
    store.labels[rows] = 1


@pytest.mark.parametrize(
    ("word", "params", "change"),
    [
        ("label_flip", {}, flip),
        ("mislabelled_site", {}, shift),
        ("inverted_images", {}, invert),
        ("backdoor", {"share": 1.0, "target": "class1", "size": 2}, mark),
    ],
)
@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold"])
def test_changed_samples_are_those_of_a_changed_store(word, params, change, algorithm):
    runs_alike(
        attacked(word, params, algorithm=algorithm), changed_by_hand(change, algorithm=algorithm)
    )


def test_a_share_of_the_samples_stays_the_same_in_every_round():
    trainer = attacked("random_labels", {"share": 0.5})
    link = trainer.server.chain.links[0]
    seen = {}

    def look(client, images, labels, changed=link.samples):
        images, after = changed(client, images, labels)
        for row, old, new in zip(client.drawn.rows.tolist(), labels, after, strict=True):
            seen.setdefault((client.id, row), set()).add((int(old), int(new)))
        return images, after

    link.__class__ = type("Seen", (type(link),), {"samples": lambda self, *a: look(*a)})
    trainer.train()
    assert all(len(labels) == 1 for labels in seen.values())
    differ = {key[0] for key, labels in seen.items() if len(set(next(iter(labels)))) > 1}
    assert differ == set(link.attackers)
    chosen = {row for _, row in seen if link._chosen[row]}
    changed = {key[1] for key, labels in seen.items() if len(set(next(iter(labels)))) > 1}
    assert changed <= chosen
    drawn = [row for client, row in seen if client in link.attackers and row in chosen]
    assert 0 < len(drawn) < sum(client in link.attackers for client, _ in seen)


@pytest.mark.parametrize("word", ATTACKS)
def test_without_attackers_nothing_changes(word):
    plain, idle = (
        build("scaffold", model=Normed),
        build("scaffold", {**LINKS[word], "attackers": 0}, model=Normed),
    )
    runs_alike(plain, idle)


@pytest.mark.parametrize(
    ("word", "params"),
    [
        ("label_flip", {"share": 0}),
        ("backdoor", {"share": 0}),
        ("sign_flip", {"scale": None}),
        ("gaussian", {"deviation": None}),
        ("ipm", {"scale": None}),
        ("adaptive_alie", {"tries": 0}),
        ("stops", {"last": None}),
    ],
)
def test_at_strength_zero_an_attack_steps_aside(word, params):
    trainer = attacked(word, params)
    assert trainer.server.chain.links == []
    runs_alike(trainer, federation(sizes=SIX))


def test_control_variates_and_statistics_are_attacked_too():
    plain, flipped = (
        federation("scaffold", sizes=SIX, model=Normed, rounds=1, chain=chain)
        for chain in ({}, {"links": {"sign_flip": {"scale": 3.0}}, "attackers": 2})
    )
    honest, sent = watch(plain), watch(flipped)
    plain.train(), flipped.train()
    bad = flipped.server.chain.links[0].attackers
    for client, message in sent[1].items():
        factor = -3.0 if client in bad else 1.0
        for name, part in message.parts.items():
            wanted = factor * honest[1][client].parts[name].update
            if name == STATISTICS and client in bad:  # where a variance may not follow
                wanted[4:] = wanted[4:].maximum(torch.full_like(wanted[4:], -0.99))
            assert torch.allclose(part.update, wanted, rtol=0, atol=1e-12)


def test_the_noise_has_the_size_that_was_asked_for():
    trainer = attacked("gaussian", {"deviation": 4.0}, rounds=1)
    plain = federation(sizes=SIX, rounds=1)
    sent, honest = watch(trainer), watch(plain)
    trainer.train(), plain.train()
    bad = sorted(trainer.server.chain.links[0].attackers)
    noise = [sent[1][client].parts[PARAMETERS].update for client in bad]
    for client, one in zip(bad, noise, strict=True):
        own = honest[1][client].parts[PARAMETERS].update
        assert 3.3 < float(one.norm() / own.norm()) < 4.7  # 111 entries
    assert abs(float(torch.nn.functional.cosine_similarity(*noise, dim=0))) < 0.4


def test_a_hospital_that_stops_answers_no_more():
    trainer = attacked("stops", {"last": 2}, rounds=4)
    trainer.train()
    assert [row["participants"] for row in trainer.history] == [0, 6, 6, 4, 4]


def test_the_success_of_a_backdoor_is_measured_on_marked_test_images():
    trainer = attacked("backdoor", {"target": 1, "size": 2}, evaluate_every=1, model=Normed)
    found = []

    def measure(row):
        rows = trainer.data.pooled("test")
        images = trainer.data.images[rows].clone()
        images[:, :, 3:5, 3:5] = 255
        network = trainer.server.model
        trainer.server.load(network, trainer.server.vector, trainer.server.buffers)
        network.module.eval()
        pixels = (images.double() / 255 - 0.45) / 0.25
        others = trainer.data.labels[rows] != 1
        said = network.module(pixels).argmax(dim=1)[others]
        found.append((float((said == 1).double().mean()), row["backdoor_success"]))

    trainer.on_round = measure
    trainer.train()
    assert len(found) == 4
    for wanted, column in found:
        assert column == pytest.approx(wanted)


def test_clients_csv_says_who_attacks():
    trainer = attacked("label_flip")
    trainer.train()
    assert "attacker" in [column.name for column in trainer.client_columns]
    bad = {row["client"] for row in trainer.client_history if row["attacker"]}
    assert bad == set(trainer.server.chain.links[0].attackers)
    assert trainer.server.chain.record()["label_flip"] == {"attackers": sorted(bad)}


@pytest.mark.parametrize("algorithm", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize("rule", ["median", "multi_krum", "geometric_median", "centred_clipping"])
def test_a_rule_keeps_gross_noise_out(rule, algorithm):
    """Under noise of 1000 times the update the mean is far off, and the rule stays near."""
    chain = {"links": {"gaussian": {"deviation": 1000.0}}, "attackers": 1}
    runs = [
        models(federation(algorithm, sizes=SIX, chain={**chain, **more}))[-1]
        for more in ({}, {"rule": rule})
    ]
    honest = models(federation(algorithm, sizes=SIX))[-1]
    lost, kept = (float((one - honest).norm()) for one in runs)
    assert kept < 0.02 * lost


def test_the_record_says_who_attacks_and_what_met_them(tmp_path):
    chain = {"links": {"backdoor": {"size": 2}}, "attackers": 0.34, "rule": "krum"}
    chain["rule_params"] = {"pre_aggregation": "nnm", "withstands": 1}
    trainer = federation(chain=chain, sizes=SIX, model=Normed)
    trainer.train()
    found = run_metrics(trainer)["robustness"]
    success = found.pop("backdoor_success")
    bad = sorted(trainer.server.chain.links[0].attackers)
    assert found == {
        "attackers": 2,
        "share": 2 / 6,
        "clients": bad,
        "attack": "backdoor",
        "rule": "krum",
        "expected_attackers": 1,
        "pre_aggregation": "nnm",
    }
    assert success == trainer.history[-1]["backdoor_success"] is not None
    plain = federation(sizes=SIX)
    plain.train()
    assert "robustness" not in run_metrics(plain)


def test_the_record_says_z():
    """Of 7 clients 2 attack: s = 3 + 1 − 2 = 2, and Φ⁻¹((5 − 2)/5) = Φ⁻¹(0.6) = 0.25335."""
    chain = {"links": {"alie": {}}, "attackers": 2, "rule": "median"}
    trainer = federation(chain=chain, sizes=(*SIX, 4), rounds=1)
    found = robustness_of(trainer.server)
    assert found["strength"] == pytest.approx(0.2533471)
    assert found["expected_attackers"] == 2
    # Of five in a round these two may be all: s = 2 + 1 − 2 = 1, and Φ⁻¹((3 − 1)/3) = 0.43073.
    trainer = federation(chain=chain, sizes=(*SIX, 4), rounds=1, clients_per_round=5)
    assert robustness_of(trainer.server)["strength"] == pytest.approx(0.4307273)
    chain["links"] = {"alie": {"z": 1.5}}
    found = robustness_of(federation(chain=chain, sizes=(*SIX, 4), rounds=1).server)
    assert found["strength"] == 1.5
    chain["links"] = {"sign_flip": {}}
    assert "strength" not in robustness_of(federation(chain=chain, sizes=SIX, rounds=1).server)


@pytest.mark.parametrize(
    ("chain", "f", "words"),
    [
        (
            {"links": {"sign_flip": {}}, "attackers": 0.1},
            0,
            "nobody attacks: chain.attackers is 0.1, which is none of 6",
        ),
        ({"attackers": 2}, 2, "2 clients are attackers, but no link says what they do"),
        (
            {"links": {"sign_flip": {}}},
            None,
            "nobody attacks: chain has sign_flip, but chain.attackers is 0",
        ),
        ({"links": {"sign_flip": {}}, "attackers": 1}, 1, ""),
        ({}, None, ""),
    ],
)
def test_settings_under_which_nobody_attacks_are_named(chain, f, words):
    server = federation(chain=chain, sizes=SIX).server
    assert attacks_that_are_none(server) == words
    found = robustness_of(server)
    assert found.get("attackers") == f
    if found:
        assert found["attack"] == ("sign_flip" if f == 1 else None)
