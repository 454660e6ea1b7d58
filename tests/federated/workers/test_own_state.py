"""What a person's own classes keep on themselves while clients train side by side is found."""

from __future__ import annotations

import array
import dataclasses
import functools
import itertools
import random
import re
from collections import deque
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch
from federations import Normed, federation

from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.registry import ALGORITHMS
from medfl.errors import MedflError
from medfl.federated.workers import own_classes

HINT = Callable[[int, "Part"], dict[str, int]]  # of which each pickle has other bytes


class Own(FedAvg):
    """Does something to itself with each client."""

    shared: ClassVar[list[int]] = []

    def __init__(self, **params):
        super().__init__(**params)
        self.count, self.word = 0, "none"
        self.numbers, self.named = [], {"inner": {}}
        self.latest, self.kinds = deque(maxlen=2), set()
        self.total, self.array = torch.zeros(3), np.zeros(4)
        self.drawn, self.other = torch.Generator(), np.random.default_rng(0)
        self.third, self.part = random.Random(0), Part()
        self.bytes, self.packed = bytearray(1), array.array("i", [0])
        self.counted, self.slotted = itertools.count(), Slotted()
        self.layer, self.alias, self.shadow = torch.nn.Linear(1, 1), torch.zeros(1), torch.zeros(1)
        self.objects = np.empty(1, object)
        self.objects[0] = [0]

    @functools.cached_property
    def constant(self):
        return 3

    def change(self, client):
        pass

    def train(self, client, model):
        self.change(client)
        return super().train(client, model)


class Part:
    """Something that the algorithm has."""

    def __init__(self):
        self.seen = 0


@dataclasses.dataclass(slots=True)
class Slotted:
    """Has no `__dict__`."""

    seen: int = 0


def fill_bytes(self, client):
    self.bytes[0] += 1


def pack(self, client):
    self.packed[0] += 1


def count_on(self, client):
    next(self.counted)


def see_slotted(self, client):
    self.slotted.seen += 1


def learn(self, client):
    with torch.no_grad():
        self.layer.weight += 1


def write_through_numpy(self, client):
    self.alias.numpy()[0] += 1


def write_through_data(self, client):
    self.shadow.data += 1


def put_into_an_object(self, client):
    self.objects[0].append(client.id)


def count(self, client):
    self.count += 1


def say(self, client):
    self.word = f"client {client.id}"


def add_number(self, client):
    self.numbers.append(client.id)


def fill_in(self, client):
    self.named["inner"][client.id] = 1


def take(self, client):
    self.latest.append(client.id)


def gather(self, client):
    self.kinds.add(client.id)


def sum_up(self, client):
    self.total.add_(1)


def fill(self, client):
    self.array[client.id] += 1


def draw(self, client):
    torch.rand(1, generator=self.drawn)


def draw_again(self, client):
    self.other.random()


def draw_once_more(self, client):
    self.third.random()


def see(self, client):
    self.part.seen += 1


def share(self, client):
    type(self).shared = [*type(self).shared, client.id]


def make(self, client):
    self.made = client.id


def forget(self, client):
    vars(self).pop("word", None)


def put_into_the_state(self, client):
    self.state["mean"] = model_of(client)


def model_of(client):
    return client.start


CHANGES = {
    "count": count,
    "word": say,
    "numbers": add_number,
    "named": fill_in,
    "latest": take,
    "kinds": gather,
    "total": sum_up,
    "array": fill,
    "drawn": draw,
    "other": draw_again,
    "third": draw_once_more,
    "part": see,
    "shared": share,
    "made": make,
    "state": put_into_the_state,
    "bytes": fill_bytes,
    "packed": pack,
    "counted": count_on,
    "slotted": see_slotted,
    "layer": learn,
    "alias": write_through_numpy,
    "shadow": write_through_data,
    "objects": put_into_an_object,
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(ALGORITHMS, "create", lambda name, params: Own())
    monkeypatch.setattr(ALGORITHMS, "load", lambda name: Own)
    monkeypatch.setattr(Own, "shared", [])


def run(workers=2, **settings):
    trainer = federation(workers=workers, cores=8, sizes=(6, 6, 6, 6), **settings)
    trainer.train()
    return trainer


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_is_named_with_the_ways_out(name, monkeypatch):
    monkeypatch.setattr(Own, "change", CHANGES[name])
    message = (
        rf"`Own\.{name}` changes while clients train side by side, .*`client\.keep`, .*"
        r"`Work\.extras`, or set `training\.workers: 1`"
    )
    with pytest.raises(MedflError, match=message):
        run()
    run(workers=1)


def smooth(self, client):
    client.criterion = lambda logits, labels: torch.nn.functional.cross_entropy(logits, labels)


def drop_samples(self, client):
    client.rows = client.rows[:4]


def drop_samples_in_place(self, client):
    client.rows[0] = client.rows[1]


def count_on_the_server(self, client):
    self.server.count = getattr(self.server, "count", 0) + 1


def weigh_anew(self, client):
    self.server.weights[client.id] += 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (smooth, "client.criterion"),
        (drop_samples, "client.rows"),
        (drop_samples_in_place, "client.rows"),
        (count_on_the_server, "server.count"),
        (weigh_anew, "server.weights"),
    ],
)
def test_what_is_not_handed_back_of_clients_and_server_is_named(change, name, monkeypatch):
    """Without a word the next round would train by what it was before, with two workers alone."""
    monkeypatch.setattr(Own, "change", change)
    with pytest.raises(MedflError, match=rf"`{re.escape(name)}` changes while .*`client\.keep`"):
        run()
    run(workers=1)


SEEN: dict[int, int] = {}
_SEEN = 0


def count_in_the_module(self, client):
    SEEN[client.id] = SEEN.get(client.id, 0) + 1


def count_in_the_module_privately(self, client):
    global _SEEN
    _SEEN += 1


@pytest.mark.parametrize(
    ("change", "name"), [(count_in_the_module, "SEEN"), (count_in_the_module_privately, "_SEEN")]
)
def test_what_changes_in_the_module_of_a_class_is_named(change, name, monkeypatch):
    monkeypatch.setattr(Own, "change", change)
    with pytest.raises(MedflError, match=rf"`{Own.__module__}\.{name}` changes while"):
        run()
    run(workers=1)


def test_what_a_judged_client_keeps_is_named(monkeypatch):
    """Nothing that `personal_model` leaves on a client is handed back."""

    def personal_model(self, client, model):
        client.judged = getattr(client, "judged", 0) + 1
        client.receive(model)

    monkeypatch.setattr(Own, "evaluated", "personal")
    monkeypatch.setattr(Own, "personal_model", personal_model)
    with pytest.raises(MedflError, match=r"`client\.judged` changes"):
        run()
    run(workers=1)


def test_what_is_on_a_client_travels(monkeypatch):
    def change(self, client):
        client.count = getattr(client, "count", 0) + 1

    monkeypatch.setattr(Own, "change", change)
    assert [client.count for client in run(rounds=3).clients] == [3] * 4


def test_what_cannot_travel_is_said_with_the_way_out(monkeypatch, caplog):
    """Both ways: after the first round it cannot reach the workers, either."""
    monkeypatch.setattr(Own, "change", lambda self, client: setattr(client, "f", lambda: 0))
    assert run(rounds=2).status == "completed"
    said = [line for line in caplog.messages if "cannot travel" in line]
    assert len(said) == 8
    assert all("`training.workers: 1`" in line for line in said)
    assert said[0].startswith("round 1: the training of client 0 is done again: ")


def test_threads_of_a_client_that_trains_beside_others(monkeypatch):
    """Where the run had two threads before its fork, the worker would wait for the second."""
    monkeypatch.setattr(Own, "change", lambda self, client: torch.set_num_threads(2))
    with pytest.raises(MedflError, match=r"set_num_threads\(2\)`.*`training\.workers: 1`"):
        run()
    monkeypatch.setattr(Own, "change", lambda self, client: torch.set_num_threads(1))
    assert run().status == "completed"


def test_what_is_forgotten_is_named(monkeypatch):
    monkeypatch.setattr(Own, "change", forget)
    with pytest.raises(MedflError, match=r"`Own\.word` changes"):
        run()


@pytest.mark.parametrize(
    "harmless",
    [
        lambda self, client: client.keep(seen=torch.ones(1)),
        lambda self, client: self.constant,
        lambda self, client: setattr(self, "count", 0),
        lambda self, client: len(self.numbers),
        lambda self, client: HINT,
    ],
)
def test_what_leaves_nothing_behind_is_fine(harmless, monkeypatch):
    monkeypatch.setattr(Own, "change", harmless)
    assert run().status == "completed"


def test_hooks_that_are_called_one_at_a_time_may_keep_what_they_like(monkeypatch):
    """`sent` and `step` come in the order of clients, whatever the number of workers."""

    def sent(self, client, message, work):
        self.numbers.append(client.id)

    monkeypatch.setattr(Own, "sent", sent)
    trainer = run(workers=4, rounds=2)
    assert trainer.server.algorithm.numbers == [0, 1, 2, 3] * 2


def test_whose_class_it_is():
    trainer = federation()
    assert own_classes([trainer.server.algorithm, torch.nn.Linear(1, 1)]) == [
        trainer.server.algorithm
    ]
    wrapped = torch.nn.Sequential(torch.nn.Flatten(), Normed())
    assert own_classes([wrapped]) == [wrapped]
    assert own_classes([FedAvg(), torch.nn.Sequential(torch.nn.Flatten())]) == []


def test_reading_the_servers_network_while_clients_train(monkeypatch):
    """It is no longer the one that a hook is given."""

    def read(self, client):
        return self.server.model

    monkeypatch.setattr(Own, "change", read)
    with pytest.raises(MedflError, match=re.escape("read the `model` that the hook is given")):
        run()
    run(workers=1)
