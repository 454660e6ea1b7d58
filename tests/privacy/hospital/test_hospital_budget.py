"""What is accounted for, when a budget ends, and what is refused."""

from __future__ import annotations

import pytest
import torch
from federations import ALGORITHMS, Grouped, Normed, models
from hospitals import ANY_RATIO, hospitals, link_of

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics
from medfl.privacy.accounting import epsilon_of
from medfl.privacy.hospital.mechanisms import GaussianSums
from medfl.privacy.hospital.refusals import check_federation
from medfl.privacy.hospital.settings import HospitalParams


@pytest.mark.parametrize(
    ("noise", "rounds", "epsilon"),
    [(1, 50, 54.38), (1, 100, 91.82), (4, 50, 8.60), (10, 100, 4.38)],
)
def test_everyone_in_every_round(noise, rounds, epsilon):
    """The exact values; Rényi divergences give 9.23 in place of 8.60."""
    sums = GaussianSums(noise, HospitalParams(noise_multiplier=noise))
    assert sums.epsilon(rounds) == pytest.approx(epsilon, abs=0.005)
    assert sums.accountant == "the exact formula of Gaussian noise"


def test_epsilon_in_every_file():
    """One release costs .926 at z = 4 (µ = ¼), and of three hospitals two take part in a round."""
    params = {"noise_multiplier": 4.0, "target_delta": 1e-5}
    trainer = hospitals(params=params, clients_per_round=2, rounds=4, evaluate_every=1)
    trainer.train()
    times, seen = [0, 0, 0], []
    for number in range(1, 5):
        for client in trainer.server.participants(number):
            times[client] += 1
        seen.append(epsilon_of(4.0, 1.0, max(times), 1e-5))
    assert sum(times) == 8
    assert len(set(times)) > 1
    assert [row["epsilon"] for row in trainer.history[1:]] == seen
    assert seen[0] == pytest.approx(0.926, abs=1e-3)
    last = [row for row in trainer.client_history if row["round"] == 4 and row["fold"] == "test"]
    assert [row["epsilon"] for row in last] == [epsilon_of(4.0, 1.0, k, 1e-5) for k in times]
    claim = run_metrics(trainer)["privacy"]
    assert claim["mechanism"] == "dp_hospital"
    assert claim["unit"] == "hospital"
    assert claim["epsilon"] == seen[-1]
    assert claim["delta"] == 1e-5
    assert claim["releases"] == max(times)
    assert claim["adjacency"] == "one hospital's updates replaced by zeros"
    assert "who takes part in which round" in claim["public"]


def test_a_draw_counts_for_everyone_and_amplifies():
    params = {"noise_multiplier": 1.0, "sampling_rate": 0.05}
    trainer = hospitals(params=params, sizes=(2,) * 30, rounds=3)
    trainer.train()
    assert trainer.history[-1]["epsilon"] == epsilon_of(1.0, 0.05, 3, 1e-5, "rdp")
    assert trainer.history[-1]["epsilon"] < epsilon_of(1.0, 1.0, 1, 1e-5)
    claim = trainer.server.chain.privacy()
    assert claim["accountant"] == "rdp"
    assert "who takes part in which round" not in claim["public"]
    assert link_of(trainer)._plan.expected == 1.5


def test_noise_follows_from_the_budget():
    """ε 8.6 over 50 rounds needs z = 4, and z is the least that does."""
    trainer = hospitals(params={"noise_multiplier": None, "target_epsilon": 8.6}, rounds=50)
    noise = link_of(trainer)._plan.sums.noise
    assert noise == pytest.approx(4.0, abs=0.005)
    assert epsilon_of(noise, 1.0, 50, 1e-5) <= 8.6 < epsilon_of(noise * 0.999, 1.0, 50, 1e-5)


def test_a_hospital_stops_when_its_budget_is_spent(caplog):
    """z = 4 spends .926, 1.356, 1.698: a budget of 1.5 is for two rounds of each hospital."""
    params = {"noise_multiplier": 4.0, "target_epsilon": 1.5}
    trainer = hospitals(params=params, clients_per_round=2, rounds=6)
    seen = models(trainer)
    times, expected, until = [0, 0, 0], [], {}
    for number in range(1, 7):
        chosen = [k for k in trainer.server.participants(number) if times[k] < 2]
        for client in trainer.server.participants(number):
            if client in chosen:
                times[client] += 1
            else:
                until.setdefault(str(client), number)
        expected.append(len(chosen))
    assert [row["participants"] for row in trainer.history[1:]] == expected
    assert {0, 1, 2} >= set(expected) > {2}
    assert trainer.server.chain.record()["dp_hospital"]["spent_from_round"] == until
    assert trainer.history[-1]["epsilon"] == pytest.approx(1.356, abs=1e-3)
    assert f"take no part from round {min(until.values())} on" in caplog.text
    for number, count in enumerate(expected, 1):
        assert torch.equal(seen[number], seen[number - 1]) == (count == 0)


def test_without_noise_no_epsilon_is_claimed():
    trainer = hospitals(params={"noise_multiplier": 0.0}, rounds=1, evaluate_every=1)
    trainer.train()
    assert trainer.history[-1]["epsilon"] is None
    assert trainer.client_history[-1]["epsilon"] is None
    assert trainer.server.chain.privacy()["epsilon"] is None


@pytest.mark.parametrize(
    ("entries", "expected", "ratio"),
    [(11_200_000, 10, 1339), (3591, 10, 24), (3591, 1000, 0.24)],
)
def test_the_arithmetic_of_what_can_work(entries, expected, ratio):
    """√d z / n with z = 4: a ResNet-18 or its head with 10 hospitals, and the head with 1,000."""
    trainer = hospitals(params={"noise_multiplier": 0.0}, rounds=1)
    trainer.server.vector = torch.zeros(entries)
    given = HospitalParams(noise_multiplier=4.0, max_noise_ratio=ANY_RATIO)
    found = check_federation(given, trainer.server, 4.0, expected)
    assert found == pytest.approx(ratio, rel=0.005)
    given = HospitalParams(noise_multiplier=4.0)
    if ratio < 1.3:
        assert check_federation(given, trainer.server, 4.0, expected) == found
        return
    with pytest.raises(MedflError) as error:
        check_federation(given, trainer.server, 4.0, expected)
    words = f"√{entries:,} · 4 / {expected} = {found:,.3g} times as long as the longest update"
    assert words in str(error.value)


def test_delta_that_would_allow_to_publish_a_hospital(caplog):
    hospitals(params={"target_delta": 0.4}, rounds=1).train()
    assert "δ = 0.4 is not below 1/n for 3 hospitals" in caplog.text


_DP = "dp_hospital"


@pytest.mark.parametrize(
    ("params", "changes", "words"),
    [
        ({"noise_multiplier": None}, {}, "needs noise_multiplier, or a target_epsilon"),
        ({"noise_multiplier": 0.0, "target_epsilon": 1.0}, {}, "ε is infinite"),
        ({"target_epsilon": 0.0}, {}, "greater than 0"),
        ({"noise_multiplier": -1.0}, {}, "greater than or equal to 0"),
        ({"max_grad_norm": 0.0}, {}, "greater than 0"),
        ({"target_delta": 1.0}, {}, "less than 1"),
        ({"sampling_rate": 0.0}, {}, "greater than 0"),
        ({"scales": {"parameters": 0.0}}, {}, "greater than 0"),
        ({"target_epsilon": 0.9, "noise_multiplier": 4.0}, {}, "one round spends 0.926"),
        ({}, {"weighting": "samples"}, "set federated_learning.weighting to uniform"),
        ({}, {"local_steps": None}, "set federated_learning.local_steps in place"),
        ({"sampling_rate": 0.5}, {"clients_per_round": 2}, "leave clients_per_round out"),
        ({}, {"model": Normed}, "Set model.normalization to group"),
        ({"noise": "distributed"}, {}, "Add the link secure_aggregation"),
        (
            {"noise": "distributed", "sampling_rate": 0.5},
            {},
            "under masks the server knows who takes part",
        ),
        (
            {"noise": "distributed", "adaptive": {}},
            {},
            "adaptive clipping is accounted for with central noise alone",
        ),
        ({"noise": "distributed", "noise_multiplier": 0.0}, {}, "no noise to distribute"),
    ],
)
def test_what_is_refused(params, changes, words):
    with pytest.raises(MedflError) as error:
        hospitals(params=params, rounds=1, **changes)
    assert words in str(error.value)
    assert "\n" not in str(error.value).strip()


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ({"quantize": {}}, "the link quantize changes updates that are bounded already"),
        ({"links:DropOut": {}}, "links:DropOut changes updates that are bounded already"),
        ({"secure_aggregation": {}}, "with secure_aggregation take noise: distributed"),
        ({"dp_image": {"noise_multiplier": 1.0}}, "protect different units"),
        ({"links:Promise": {}}, "protect different units: a run has one of them"),
    ],
)
def test_links_that_it_does_not_compose_with(links, words):
    with pytest.raises(MedflError) as error:
        hospitals(links=links)
    assert words in str(error.value)


def test_the_section_privacy_is_the_same_run():
    params = {"noise_multiplier": 4.0, "max_grad_norm": 0.5, "target_delta": 1e-6}
    section = {"differential_privacy": "hospital", **params}
    learning = {"weighting": "uniform", "local_steps": 2}
    one = FederatedConfig(federated_learning=learning, privacy=section)
    other = FederatedConfig(federated_learning=learning, chain={"links": {"dp_hospital": params}})
    assert one == other


def test_another_rule_than_the_sum_is_refused():
    from federations import federation

    chain = {"links": {"dp_hospital": {"noise_multiplier": 1.0}}, "rule": "median"}
    with pytest.raises(MedflError, match="the rule median makes none"):
        federation(chain=chain, weighting="uniform", local_steps=2)


def test_a_clip_link_before_it_may_stand():
    trainer = hospitals(links={"clip": {"norm": 0.5}}, rounds=1)
    trainer.train()
    assert [link.name for link in trainer.server.chain.links] == ["clip", "dp_hospital"]


def test_parts_that_nobody_sends_have_no_scale():
    with pytest.raises(MedflError, match="scales names the part delta_c, and the private parts"):
        hospitals(params={"scales": {"delta_c": 2.0}}, rounds=1).train()


def test_unequal_weights_of_a_part_are_refused(monkeypatch):
    """FedNova's are 1/‖a_i‖, which are equal where all take the same steps."""
    trainer = hospitals("fednova", rounds=1, model=Grouped)
    for client in trainer.clients[1:]:
        monkeypatch.setitem(trainer.server.weights, client.id, 2.0)
    assert ALGORITHMS["fednova"]
    with pytest.raises(MedflError, match="give the part parameters different weights"):
        trainer.train()
