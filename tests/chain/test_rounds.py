"""What a round costs and what it starts from, counted by hand.

The linear network has 36 × 3 + 3 = 111 parameters, 888 bytes in double precision. Clients with 8,
16 and 12 samples take 2, 4 and 3 steps in batches of 4.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from federations import Normed, federation
from links import Watch, watch

from medfl.algorithms import FederatedAlgorithm
from medfl.chain import PARAMETERS, STATISTICS, Link, Part
from medfl.errors import MedflError

MODEL = 888


def linked(*links: Link, **settings):
    trainer = federation(**{"rounds": 1, **settings})
    for link in links:
        link.name = type(link).__name__
        trainer.server.chain.links.append(link)
    return trainer


class LeaveOutTheLast(Link):
    stage = "attack"

    def together(self, number, messages):
        return messages[:-1]


def test_messages_that_are_left_out_have_travelled():
    trainer = linked(LeaveOutTheLast())
    seen = watch(trainer)
    trainer.train()
    row = trainer.history[1]
    assert (row["participants"], row["steps"], row["gradients"]) == (3, 9, 9)
    assert (row["bytes_up"], row["bytes_down"]) == (3 * MODEL, 3 * MODEL)
    # The loss and the model are the mean of the first two clients.
    one, two = seen[1][0], seen[1][1]
    assert row["train_loss"] == pytest.approx((8 * one.loss + 16 * two.loss) / 24, abs=1e-12)
    mean = (8 * one.parts[PARAMETERS].value + 16 * two.parts[PARAMETERS].value) / 24
    assert torch.allclose(trainer.server.vector, mean, rtol=0, atol=1e-12)


class Unpack(Link):
    stage = "attack"

    def together(self, number, messages):
        return [
            replace(m, parts={n: replace(p, bits=None) for n, p in m.parts.items()})
            for m in messages
        ]


def test_what_is_unpacked_at_the_server_travelled_packed():
    trainer = linked(Unpack(), chain={"links": {"quantize": {"bits": 8}}})
    trainer.train()
    # 111 levels of 8 bits and the scale of 32 bits are 115 bytes.
    assert trainer.history[1]["bytes_up"] == 3 * 115


class BackToFront(Link):
    stage = "attack"

    def together(self, number, messages):
        return messages[::-1]


def test_messages_are_combined_in_the_order_of_clients():
    one, other = linked(BackToFront(), rounds=3), linked(rounds=3)
    one.train(), other.train()
    assert torch.equal(one.server.vector, other.server.vector)


class Lost(Link):
    stage = "attack"

    def __init__(self, given):
        super().__init__()
        self.given = given

    def together(self, number, messages):
        return self.given


@pytest.mark.parametrize("given", [None, [None]])
def test_a_together_that_gives_no_messages(given):
    with pytest.raises(MedflError, match="`together` of the link `Lost` gave NoneType"):
        linked(Lost(given)).train()


class Opens(Link):
    stage = "round"

    def __init__(self, given):
        super().__init__()
        self.given = given

    def open(self, number, clients):
        return self.given


def test_clients_train_in_the_order_of_their_ids():
    trainer, plain = linked(Opens([2, 0, 1])), linked()
    order = Watch()
    trainer.server.chain.links.append(order)
    trainer.train(), plain.train()
    assert list(order.rounds[1]) == [0, 1, 2]
    assert torch.equal(trainer.server.vector, plain.server.vector)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([0, 1, 1], r"gave \[0, 1, 1\]: it must give each client at most once"),
        ([0, 7], r"gave \[0, 7\]: .* none but those of \[0, 1, 2\]"),
        (None, "gave NoneType, but needed is a list of clients' ids"),
    ],
)
def test_an_opening_that_gives_other_clients(given, words):
    with pytest.raises(MedflError, match=f"`open` of the link `Opens` {words}"):
        linked(Opens(given)).train()


class SendsItsMean(FederatedAlgorithm):
    """Sends a second vector from the second round on."""

    def broadcast(self):
        return {"mean": self.state["mean"]} if "mean" in self.state else {}

    def message(self, client, model, work):
        self.received = sorted(client.received)
        return super().message(client, model, work)

    def step(self, total):
        super().step(total)
        self.state["mean"] = total[PARAMETERS].mean.clone()


def own(kind, monkeypatch, **settings):
    """A federation of an algorithm of the test's own."""
    monkeypatch.setattr("medfl.federated.server.ALGORITHMS.create", lambda *_: kind())
    return federation(**{"rounds": 2, **settings})


def test_the_downlink_is_what_the_clients_got(monkeypatch):
    trainer = own(SendsItsMean, monkeypatch)
    trainer.train()
    assert [row["bytes_down"] for row in trainer.history] == [0, 3 * MODEL, 6 * MODEL]
    assert trainer.server.algorithm.received == sorted(["mean", PARAMETERS, STATISTICS])


@pytest.mark.parametrize("algorithm", ["fedavg", "fedbn", "ditto"])
def test_no_client_holds_a_model_that_the_server_has_left(algorithm):
    """Of many clients each would hold that of another round."""
    trainer = federation(algorithm=algorithm, rounds=3, clients_per_round=2)
    trainer.train()
    assert [client.received for client in trainer.clients] == [{}] * 3
    assert not any(hasattr(client, "start") for client in trainer.clients)
    assert trainer.training.download == {}


class MovesFirst(FederatedAlgorithm):
    """Moves all that it keeps before it looks at the updates."""

    def setup(self, server):
        self.state["m"] = torch.zeros_like(server.vector)
        self.seen = []

    def broadcast(self):
        return {"m": self.state["m"]}

    def message(self, client, model, work):
        m = client.received["m"]
        return {**client.model_parts(model), "m": Part(m + client.id, 1.0, m)}

    def step(self, total):
        self.server.vector.copy_(total[PARAMETERS].mean)
        self.state["m"].copy_(total["m"].mean)
        self.seen.append({name: one.update for name, one in total.items()})


def test_the_base_of_an_update_is_what_was_sent(monkeypatch):
    trainer = own(MovesFirst, monkeypatch, model=Normed)
    start, statistics = trainer.server.vector.clone(), trainer.server.buffers.clone()
    seen = watch(trainer)
    trainer.train()
    first, second = trainer.server.algorithm.seen
    for name, base in ((PARAMETERS, start), (STATISTICS, statistics)):
        values = [seen[1][k].parts[name].value for k in range(3)]
        update = sum(n * (v - base) for n, v in zip((8, 16, 12), values, strict=True))
        assert float(update.norm()) > 0.01
        assert torch.allclose(first[name], update, rtol=0, atol=1e-12)
    # Clients add 0, 1 and 2 to m in each round.
    for update in (first["m"], second["m"]):
        assert torch.allclose(update, torch.full_like(update, 3.0), rtol=0, atol=1e-12)
