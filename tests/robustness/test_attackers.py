"""How many attackers there are, who they are, and which rules refuse so many."""

from __future__ import annotations

import numpy as np
import pytest
from federations import federation, models

from medfl.algorithms.fedavg import FedAvg
from medfl.chain import check_chain
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.robustness.attackers import choose_attackers, count_attackers

SIX = (8, 16, 12, 6, 10, 9)


@pytest.mark.parametrize(
    ("attackers", "clients", "count"),
    [(0, 9, 0), (0.2, 15, 3), (0.2, 14, 2), (0.29, 100, 29), (0.1, 9, 0), (3, 15, 3), (1, 2, 1)],
)
def test_a_share_is_rounded_down(attackers, clients, count):
    assert count_attackers(attackers, clients) == count


def test_the_attackers_are_those_of_the_split():
    """Arms, rules and the seed of training do not change who they are; more of them are these."""

    def chosen(attackers, **settings):
        config = FederatedConfig(attackers=attackers, **settings)
        return choose_attackers(config, list(range(20)))

    few, many = chosen(0.2, split_seed=4), chosen(8, split_seed=4)
    assert len(few) == 4
    assert len(many) == 8
    assert set(few) < set(many)
    assert few == chosen(0.2, split_seed=4, seed=9, algorithm="scaffold", rule="krum")
    assert few == chosen(0.2, seed=4)
    assert len({tuple(chosen(4, seed=seed)) for seed in range(20)}) > 15


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ({"attackers": 1.5}, "write a share below 1, or a whole number of clients"),
        ({"attackers": -0.1}, "greater than or equal to 0"),
        ({"attackers": 6, "rule": "median"}, "of 6 clients none would be honest"),
        ({"attackers": 3, "rule": "median"}, "it needs 2f < n, and f is 3 with n = 6 updates"),
        ({"attackers": 0.5, "rule": "trimmed_mean"}, "it needs 2f < n, and f is 3"),
        ({"attackers": 2, "rule": "krum"}, "it needs 2f + 2 < n, and f is 2 with n = 6 updates"),
        ({"attackers": 2, "rule": "multi_krum"}, "2f + 2 < n"),
        ({"attackers": 1, "rule": "bulyan"}, "it needs 4f + 3 ≤ n, and f is 1 with n = 6 updates"),
        (
            {"attackers": 1, "rule": "krum", "rule_params": {"pre_aggregation": "bucketing"}},
            "and f is 1 with n = 3 buckets of 6 updates",
        ),
        (
            {"attackers": 3, "rule": "norm_bounding", "rule_params": {"pre_aggregation": "nnm"}},
            "nearest-neighbour mixing needs 2f < n, and f is 3 of n = 6 updates",
        ),
        ({"rule": "krum", "rule_params": {"withstands": 2}}, "the rule krum: it needs 2f + 2 < n"),
        ({"rule": "krum", "rule_params": {"withstands": 0.34}}, "f is 2 with n = 6 updates"),
        ({"rule": "krum", "rule_params": {"withstands": 1.5}}, "a share below 1, or a whole"),
        ({"rule": "krum", "rule_params": {"pre_aggregation": "nn"}}, "'nnm' or 'bucketing'"),
    ],
)
def test_more_attackers_than_a_rule_withstands_are_refused(chain, words):
    """Before anything is trained, and where the number of clients is known without the data."""
    with pytest.raises((MedflError, ValueError)) as error:
        federation(chain=chain, sizes=SIX)
    assert words in str(error.value)
    if "rule" in chain:
        with pytest.raises((MedflError, ValueError)) as error:
            check_chain(FederatedConfig(chain=chain, num_clients=6), FedAvg, "the run")
        assert words in str(error.value)


def test_the_clients_of_a_round_count_and_not_all():
    with pytest.raises(MedflError, match="f is 1 with n = 4 updates"):
        federation(chain={"attackers": 1, "rule": "krum"}, sizes=SIX, clients_per_round=4)
    federation(chain={"attackers": 1, "rule": "krum"}, sizes=SIX, clients_per_round=5)


def test_where_the_split_decides_how_many_clients_there_are_it_is_asked():
    config = FederatedConfig(chain={"attackers": 9, "rule": "krum"}, num_clients=None)
    check_chain(config, FedAvg, "the run")


def test_a_round_with_too_few_answers_changes_nothing():
    """Two of five drop out of round 2: the model and SCAFFOLD's variates are as before it."""
    chain = {"attackers": 1, "rule": "krum", "links": {"links:Gone": {"rounds": {2: [0, 3]}}}}
    trainer = federation("scaffold", chain=chain, sizes=SIX[:5])
    seen, variates = [], []

    def remember(row):
        seen.append(trainer.server.vector.clone())
        own = [client.state.get("c") for client in trainer.clients]
        variates.append([None if one is None else one.clone() for one in own])

    trainer.on_round = remember
    trainer.train()
    assert trainer.status == "completed"
    assert np.array_equal(seen[1], seen[2])
    assert not np.array_equal(seen[2], seen[3])
    for before, after in zip(variates[1], variates[2], strict=True):
        assert np.array_equal(before, after)


def test_the_memory_is_said_before_the_first_round():
    """4 clients, 111 numbers of 8 bytes: 3552 bytes are 3.3 · 10⁻⁶ GiB."""
    trainer = federation(chain={"rule": "median"}, sizes=SIX, clients_per_round=4)
    assert trainer.server.chain.rule.note == (
        "the rule median keeps all updates of a round: 4 × 111 numbers, 3.3e-06 GiB at least"
    )


def test_a_weight_of_zero_bad_updates_is_the_mean_of_equal_clients():
    """Trimmed mean with f = 0 under equal weights is the plain mean."""
    plain = models(federation(sizes=SIX, weighting="uniform"))
    trimmed = models(federation(sizes=SIX, weighting="uniform", chain={"rule": "trimmed_mean"}))
    for one, other in zip(plain, trimmed, strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-12)
