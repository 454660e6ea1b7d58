"""Every arm does the same local work, also with given steps and with sampled clients."""

from __future__ import annotations

import pytest
from federations import federation
from softmax import Softmax, close

from medfl.federated.local_work import LocalWork
from medfl.federated.outcome import run_metrics

SIZES = (5, 16, 11, 8)  # with batches of 4 a pass is 1, 4, 3 and 2 steps, for all 40 samples 10


def trained(algorithm, **settings):
    trainer = federation(algorithm, sizes=SIZES, batch_size=4, **settings)
    trainer.train()
    return trainer


def steps(trainer):
    return [row["steps"] for row in trainer.history][1:]


@pytest.mark.parametrize(
    ("settings", "pooled"),
    [
        ({"local_epochs": 3}, [30, 30, 30]),
        ({"local_epochs": 1, "batch_size": 7}, [6, 6, 6]),  # 5 · 7 and 5
        ({"local_epochs": 1, "batch_size": 13}, [3, 3, 3]),  # 13, 13, and 14: never one alone
        ({"local_steps": 7}, [28, 28, 28]),  # 4 · 7, however large the clients are
        ({"local_steps": 7, "clients_per_round": 3}, [21, 21, 21]),
        (
            {"local_epochs": 3, "clients_per_round": 2},
            [30, 30, 30],
        ),  # three passes, whoever is drawn
        ({"local_epochs": 1, "clients_per_round": 1}, [10, 10, 10]),
    ],
)
def test_the_pooled_model_passes_over_all_samples_or_takes_the_steps_of_a_round(settings, pooled):
    trainer = federation("centralized", sizes=SIZES, **({"batch_size": 4} | settings))
    trainer.train()
    assert steps(trainer) == pooled
    assert run_metrics(trainer)["steps"] == sum(pooled)
    assert {row["steps"] for row in trainer.client_history if row["round"] == 3} == {sum(pooled)}


def test_the_pooled_steps_come_from_shuffled_passes_over_all_samples():
    trainer = federation("centralized", sizes=(8, 16, 12), local_steps=5, clients_per_round=2)
    problem = Softmax(trainer)
    trainer.train()
    x = problem.start
    for number in (1, 2, 3):
        batches = problem.batches(0, number, steps=10)
        assert sorted(row for part in batches[:9] for row in part) == sorted(problem.rows(0))
        x = problem.descend(x, batches)
    assert close(trainer.server.vector, x)


@pytest.mark.parametrize("work", [{"local_epochs": 2}, {"local_steps": 5}])
@pytest.mark.parametrize("sampled", [1, 2, 3, 4])
def test_a_lone_client_takes_the_steps_of_a_federated_one_in_the_mean(work, sampled):
    rounds = 8
    trainer = trained("local", rounds=rounds, clients_per_round=sampled, evaluate_every=100, **work)
    whole = (2, 8, 6, 4) if "local_epochs" in work else (5,) * 4
    # After 8 rounds of 4 clients the shares are whole numbers.
    assert [client.steps for client in trainer.clients] == [2 * sampled * n for n in whole]


def test_a_round_in_which_nobody_has_a_step_to_take():
    trainer = trained("local", local_steps=1, clients_per_round=1, rounds=8, evaluate_every=100)
    # A quarter of a step a round: 0.25 0.5 0.75 1 1.25 1.5 …, and a half is rounded up.
    assert steps(trainer) == [0, 4, 0, 0, 0, 4, 0, 0]
    assert [row["participants"] for row in trainer.history] == [0, 0, 4, 0, 0, 0, 4, 0, 0]
    idle = trainer.history[1]
    assert (idle["train_loss"], idle["update_norm"]) == (None, 0.0)
    assert trainer.status == "completed"


def test_sampled_clients_of_a_federation_do_the_whole_work():
    trainer = trained("fedavg", local_epochs=2, clients_per_round=2, evaluate_every=100)
    whole = (2, 8, 6, 4)
    for number, taken in enumerate(steps(trainer), start=1):
        assert taken == sum(whole[k] for k in trainer.server.participants(number))


@pytest.mark.parametrize(
    ("algorithm", "settings", "said"),
    [
        ("fedavg", {"local_steps": 1}, "4 clients a round, each 1 local step"),
        (
            *("fedavg", {"local_epochs": 2, "clients_per_round": 3}),
            "3 of 4 clients a round, each 2 passes over its training samples",
        ),
        ("local", {"local_steps": 7}, "4 clients a round, each 7 local steps"),
        (
            *("local", {"clients_per_round": 3}),
            "4 clients a round, each 3/4 of 1 pass over its training samples",
        ),
        ("centralized", {}, "1 pass over the pooled training samples a round"),
        (
            *("centralized", {"local_epochs": 2, "clients_per_round": 1}),
            "2 passes over the pooled training samples a round",
        ),
        (
            *("centralized", {"local_steps": 7, "clients_per_round": 2}),
            "2 × 7 steps on the pooled training samples a round",
        ),
    ],
)
def test_the_record_says_the_work_in_words(algorithm, settings, said):
    trainer = trained(algorithm, rounds=1, evaluate_every=100, **settings)
    assert run_metrics(trainer)["work"] == said


def test_shares_of_any_size_add_up_to_the_nearest_whole_number():
    for whole in (1, 3, 10, 39):
        for everyone in (1, 3, 7, 100):
            for size in range(1, everyone + 1):
                work = LocalWork({0: whole}, None, size, everyone, shared=True, pooled=False)
                total = 0
                for number in range(1, 12):
                    taken = work.steps(0, number)
                    assert taken >= 0
                    total += taken
                    assert abs(total - number * whole * size / everyone) <= 0.5
