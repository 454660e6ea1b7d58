"""What a rule of one's own gives in place of a round's total: held against what clients sent."""

from __future__ import annotations

import math

import pytest
import torch
from federations import federation

from medfl.errors import MedflError

RULES = """
from dataclasses import replace
from medfl.chain import Link, Rule
from medfl.chain.combine import WeightedSum

class Sum(WeightedSum):
    def total(self):
        found = super().total()
        return CHANGE(found)

class Mine(Rule):
    EXTRA
    def start(self):
        return START

class Loses(Link):
    stage = "round"

    def close(self, number, total, answered):
        return {}
"""


@pytest.fixture
def trained(own_module):
    def train(change="found", extra="pass", start="Sum()", **chain):
        code = RULES.replace("CHANGE(found)", change)
        own_module("my_rules", code.replace("EXTRA", extra).replace("START", start))
        trainer = federation(rounds=1, chain={"rule": "my_rules:Mine", **chain})
        trainer.train()
        return trainer

    return train


EACH = "{n: replace(t, %s) for n, t in found.items()}"
WRONG = {
    "empty": ({"change": "{}"}, "its total is empty though clients answered: give a Total for"),
    "none": ({"change": "None"}, "`total` gave NoneType, but needed is the total that"),
    "other": ({"change": "{'q': found['parameters']}"}, "its total has `q`, but clients sent `par"),
    "short": ({"change": EACH % "mean=t.mean[:1]"}, r"of shape \(1,\), but needed are real numb"),
    "whole": ({"change": EACH % "mean=t.mean.long()"}, "is torch.int64 of shape"),
    "base": ({"change": EACH % "base=t.mean[:1]"}, "has another base than the messages"),
    "NaN weight": ({"change": EACH % "weight=float('nan')"}, "has the weight nan: it must be"),
    "no weight": ({"change": EACH % "weight=None"}, "has the weight None: it must be a number"),
    "no start": ({"start": "None"}, "start gave NoneType, but needed is a medfl.chain.Combinat"),
}


@pytest.mark.parametrize("name", WRONG)
def test_nonsense_is_one_sentence_that_names_the_rule(trained, name):
    given, message = WRONG[name]
    with pytest.raises(MedflError, match=f"^the rule `my_rules:Mine`: .*{message}"):
        trained(**given)


def test_a_rule_that_may_give_up_may_be_empty(trained):
    trainer = trained("{}", "may_give_up = True")
    start = federation(rounds=1).server.vector
    assert (trainer.status, len(trainer.history)) == ("completed", 2)
    assert torch.equal(trainer.server.vector, start)


def test_a_rule_that_sums_gives_the_bits_of_the_sum(trained):
    plain = federation(rounds=1)
    plain.train()
    mine = trained()
    assert torch.equal(mine.server.vector, plain.server.vector)
    assert not torch.equal(plain.server.vector, federation(rounds=1).server.vector)


def test_a_link_that_loses_the_total_is_one_sentence(trained):
    with pytest.raises(MedflError, match="`close` of the link `my_rules:Loses` gave an empty tot"):
        trained(links={"my_rules:Loses": {}})


def test_what_a_rule_says_of_itself_is_in_the_record(trained):
    chain = trained(extra="record = lambda self: {'trimmed': 2}").server.chain
    assert chain.record() == {"my_rules:Mine": {"trimmed": 2}}
    assert federation(rounds=1).server.chain.record() == {}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (None, "gave NoneType, but needed is a dictionary"),
        ({"x": math.nan}, "gave what JSON cannot hold"),
        ({"x": object()}, "gave what JSON cannot hold .Object of type object"),
    ],
)
def test_what_a_rule_cannot_say_of_itself_is_one_sentence(trained, said, message):
    chain = trained().server.chain
    type(chain.rule).record = lambda _: said
    with pytest.raises(MedflError, match=f"`record` of `my_rules:Mine` {message}"):
        chain.record()


def test_an_effect_is_a_text(trained):
    trainer = trained(extra="effect = property(lambda self: 3)")
    with pytest.raises(MedflError, match="`effect` of the rule `Mine` gave int, but needed is a"):
        _ = trainer.server.objective
