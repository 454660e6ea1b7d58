"""A link may seal messages, sum them itself, and give a round up; it may say what it promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from federations import ALGORITHMS, Normed, federation, models
from links import watch

from medfl.chain import Combination, Link, Sealed, Total
from medfl.errors import MedflError
from medfl.federated import FederatedServer
from medfl.federated.outcome import run_metrics
from medfl.registry import HyperParams
from medfl.results.columns import Column

KEY = 12345.0


class _Opened(Combination):
    """Adds up what is sealed; every message must have come without its parts."""

    def __init__(self, given_up):
        self.sums, self.given_up = {}, given_up

    def add(self, message):
        assert message.parts == {}
        assert message.sealed is not None
        for name, (vector, weight, base) in message.sealed.content.items():
            vector = vector - KEY
            old = self.sums.get(name)
            self.sums[name] = (
                (vector, weight, base) if old is None else (old[0] + vector, old[1] + weight, base)
            )

    def total(self):
        if self.given_up:
            return {}
        return {name: Total(v / w, w, base) for name, (v, w, base) in self.sums.items()}


class SealAll(Link):
    """Hides the weighted parts behind one number, and loses the rounds that it is told to lose."""

    class Params(HyperParams):
        """lost: the round that is given up; 0 for none."""

        lost: int = 0

    stage = "mask"
    client_columns = (Column("promised", "What is promised"),)
    public_pixels = True

    def message(self, client, message):
        sealed = {n: (p.value * p.weight + KEY, p.weight, p.base) for n, p in message.parts.items()}
        return replace(message, sealed=Sealed(sealed, 1000))

    def combination(self, number, inner):
        return _Opened(number == self.params.lost)

    def traffic(self, number, up, down):
        return up + 7, down + 5

    def client_row(self, client):
        return {"promised": 0.5 * client}

    def record(self):
        return {"key": KEY}

    def privacy(self):
        return {"mechanism": "test", "unit": "image", "epsilon": 3.0, "delta": 1e-5}


def sealed(algorithm="fedavg", lost=0, **settings):
    name, params = algorithm.split("-")[0], ALGORITHMS[algorithm]
    trainer = federation(name, params=params, **settings)
    link = SealAll(lost=lost)
    link.name = "seal"
    trainer.server.chain.links.append(link)
    return trainer


@pytest.mark.parametrize("algorithm", ["fedavg", "fednova", "scaffold", "feddyn", "fedbn", "ditto"])
def test_a_sealed_sum_is_the_sum(algorithm):
    name, params = algorithm, ALGORITHMS[algorithm]
    plain = models(federation(name, params=params, rounds=3))
    for one, other in zip(plain, models(sealed(algorithm, rounds=3)), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)


def test_a_combination_of_another_kind_is_refused():
    trainer = sealed(rounds=1)
    trainer.server.chain.links[-1].combination = lambda number, inner: inner.total
    words = "`combination` of the link `seal` gave .*, but needed is a medfl.chain.Combination"
    with pytest.raises(MedflError, match=words):
        trainer.train()


def test_what_travels_is_the_sealed_message():
    trainer = sealed(rounds=1)
    trainer.train()
    row = trainer.history[1]
    assert row["bytes_up"] == 3 * 1000 + 7
    assert row["bytes_down"] == 3 * 888 + 5


@pytest.mark.parametrize("algorithm", ["scaffold", "feddyn", "fedbn", "ditto"])
def test_a_round_that_is_given_up_leaves_everyone_as_before(algorithm):
    trainer = sealed(algorithm, lost=2, rounds=2, model=Normed)
    before = []
    trainer.on_round = lambda row: before.append(
        (
            trainer.server.vector.clone(),
            {k: v.clone() for k, v in trainer.server.algorithm.state.items()},
            [{k: v.clone() for k, v in c.state.items()} for c in trainer.clients],
            [c.steps for c in trainer.clients],
        )
    )
    trainer.train()
    first, second = before[1], before[2]
    assert torch.equal(first[0], second[0])
    assert first[1].keys() == second[1].keys()
    assert all(torch.equal(first[1][k], second[1][k]) for k in first[1])
    for one, other in zip(first[2], second[2], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[k], other[k]) for k in one)
    assert first[3] == second[3]
    assert all(first[2]), "the algorithm keeps something of its clients"


def test_what_a_link_says_stands_in_record_and_tables():
    trainer = sealed(rounds=1)
    metrics = run_metrics(trainer_of(trainer))
    assert metrics["chain"] == {"seal": {"key": KEY}}
    assert metrics["privacy"] == {
        "mechanism": "test",
        "unit": "image",
        "epsilon": 3.0,
        "delta": 1e-5,
    }
    assert {row["client"]: row["promised"] for row in trainer.client_history} == {
        0: 0.0,
        1: 0.5,
        2: 1.0,
    }


def trainer_of(trainer):
    trainer.train()
    return trainer


def test_a_chain_without_a_promise_has_none():
    assert run_metrics(trainer_of(federation(rounds=1)))["privacy"]["mechanism"] == "none"


def test_the_first_message_is_what_the_client_knows():
    """The client itself still has what it sent: SCAFFOLD moves c_i by it."""
    trainer = sealed("scaffold", rounds=1)
    seen = watch(trainer)
    trainer.train()
    for client in trainer.clients:
        sent = seen[1][client.id].parts["delta_c"].value
        assert torch.equal(client.state["c"], sent)


def test_pixels_of_a_promise_are_public():
    """The training images' own mean and deviation would tell of them."""
    plain = federation()
    trainer = federation(chain={"links": {"test_sealed:SealAll": {}}})
    assert (plain.data.mean, plain.data.std) == ((0.45,), (0.25,))
    assert (trainer.data.mean, trainer.data.std) == ((0.5,), (0.5,))
    with pytest.raises(MedflError, match="public_pixels"):
        FederatedServer(trainer.config, plain.data)


def test_groups_are_numbered_by_patient():
    trainer = federation(rounds=1)
    client = trainer.clients[0]
    names = trainer.data.groups[client.rows.numpy()]
    same = names[:, None] == names[None, :]
    numbers = client.groups.numpy()
    assert (same == (numbers[:, None] == numbers[None, :])).all()
    assert sorted(set(numbers.tolist())) == list(range(len(set(names))))
