"""What a link may do wrong, and what a round may lack, is said or comes out right."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from federations import federation

from medfl.algorithms import FederatedAlgorithm
from medfl.algorithms.fedavg import FedAvg
from medfl.chain import Link
from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated.log import progress_line
from medfl.results.columns import Column, table_columns
from medfl.robustness.median import CoordinateMedian


def with_link(link: Link, **settings):
    link.name = "mine"
    trainer = federation(**{"rounds": 1, **settings})
    trainer.server.chain.links.append(link)
    return trainer


class HideLoss(Link):
    stage = "mask"

    def message(self, client, message):
        message.loss = None
        return message


def test_a_round_whose_loss_nobody_saw_is_logged_without_it():
    trainer = with_link(HideLoss())
    lines = []
    trainer.on_round = lambda row: lines.append(progress_line(row, 1, "accuracy"))
    trainer.train()
    assert trainer.history[1]["train_loss"] is None
    assert lines[1].startswith("round    1/1  ")
    assert "loss" not in lines[1]


class Forgetful(Link):
    stage = "round"

    def close(self, number, total, answered):
        pass


def test_a_close_that_returns_nothing_is_no_round_without_answers():
    with pytest.raises(MedflError, match="`close` of the link `mine` gave NoneType"):
        with_link(Forgetful()).train()


class Claims(Link):
    stage = "round"
    columns = (Column("mine", "Mine"),)

    def row(self, notes):
        return {"bytes_up": 0.0}


def test_a_row_holds_what_was_declared():
    with pytest.raises(MedflError, match=r"`row` of .* gave \['bytes_up'\], but its `col"):
        with_link(Claims()).train()


def test_a_column_of_words_is_refused():
    with pytest.raises(MedflError, match="`word` has kind str"):
        table_columns("rounds.csv", [Column("word", kind=str)])


class WithoutWork(FedAvg):
    """Trains, and forgets to return its work."""

    def train(self, client, model):
        super().train(client, model)


def test_an_algorithm_that_returns_no_work_is_named():
    with pytest.raises(
        MedflError, match=r"`train` of .*:WithoutWork` gave NoneType, but needed is a Work"
    ):
        federation(f"{__name__}:WithoutWork", rounds=1).train()


class Located(CoordinateMedian):
    """Puts something else in the place of the median."""

    def locate(self, updates, f):
        return {"number": 1.0, "none": None, "long": updates.values[0].repeat(2)}[GIVEN]


class Totals(CoordinateMedian):
    """Gives the server something else than totals."""

    def total(self, parts):
        return {"number": 1.0, "none": None, "long": {"parameters": [1.0]}}[GIVEN]


GIVEN = "none"


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("Located", "number", r"Located\.locate gave float, but needed is a tensor as long as an"),
        ("Located", "none", r"Located\.locate gave NoneType"),
        ("Located", "long", r"Located\.locate gave \(\d+,\), but needed is .* update: \(\d+,\)\."),
        (
            "Totals",
            "number",
            "`test_faults:Totals`: `total` gave float, but needed is",
        ),
        ("Totals", "none", "`test_faults:Totals`: `total` gave NoneType"),
        ("Totals", "long", "in 'parameters', gave list, but needed is the total"),
    ],
)
def test_a_rule_that_gives_something_else_is_named(kind, given, said, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "GIVEN", given)
    with pytest.raises(MedflError, match=said):
        federation("fedavg", rounds=1, chain={"rule": f"{__name__}:{kind}"}).train()


class NotFinite(Link):
    stage = "attack"

    def message(self, client, message):
        for name, part in message.parts.items():
            message.parts[name] = part.with_update(part.update * math.nan)
        return message


@pytest.mark.parametrize("rule", ["sum", "median"])
def test_what_a_link_makes_infinite_is_refused_before_it_is_combined(rule):
    trainer = with_link(NotFinite(), chain={"rule": rule})
    start = trainer.server.vector.clone()
    trainer.train()
    assert trainer.status == "diverged"
    assert "round 1, client 0" in trainer.reason
    assert torch.equal(trainer.server.vector, start)


def test_an_old_hook_is_refused_wherever_it_stands():
    class Mixin:
        def client_update(self, client, model, update):
            pass

    with pytest.raises(MedflError, match=r"Mixed\.client_update is a hook of medfl 0\.1"):
        type("Mixed", (Mixin, FedAvg), {})
    assert issubclass(type("Plain", (FedAvg,), {}), FederatedAlgorithm)


def test_a_class_of_medfl_0_1_may_go_on_wrapping_the_averaging():
    class Noting(FedAvg):
        def aggregate(self, updates):
            before = self.server.vector.clone()
            super().aggregate(updates)
            moved.append(not torch.equal(before, self.server.vector))

    moved: list[bool] = []
    plain, wrapped = federation("fedavg", rounds=2), federation("fedavg", rounds=2)
    wrapped.server.algorithm.__class__ = Noting
    plain.train()
    wrapped.train()
    assert moved == [True, True]
    assert torch.equal(plain.server.vector, wrapped.server.vector)


def test_a_class_of_medfl_0_1_that_reads_single_updates_fails_at_once():
    class Reading(FedAvg):
        def aggregate(self, updates):
            self.server.vector.copy_(torch.stack([update.vector for update in updates]).mean(0))

    trainer = federation("fedavg", rounds=1)
    trainer.server.algorithm.__class__ = Reading
    with pytest.raises((MedflError, AttributeError)):
        trainer.train()


def test_a_number_for_an_own_network_is_one():
    model = {"name": "my_nets:Net", "params": {"p": "1e-3", "name": "one", "width": 16}}
    params = FederatedConfig(model=model).model.params
    assert params == {"p": 0.001, "name": "one", "width": 16}
