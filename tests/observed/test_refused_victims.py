"""A client whose update is refused has told the server nothing, and is in no model."""

from __future__ import annotations

import numpy as np
import pytest
from attack_federations import CLIENTS, attacked, federate_small

from medfl.errors import MedflError
from medfl.federated.refused import DivergedError
from medfl.observed.attacked import confidences
from medfl.privacy.attacks.cases import LINEAR, Case

SPOIL = "links:Spoil"
CASE = Case(LINEAR, "none", 1, "mlp")


@pytest.mark.parametrize(
    "protection",
    [{}, {"secure_aggregation": {"bound": 1.0}}, {"ckks": {"bound": 1.0, "share": 0.5}}],
)
def test_of_a_victim_that_is_refused_nothing_is_found(protection):
    """The sum of the others is there, but the victim's image is not in it."""
    small = federate_small({SPOIL: {"clients": [0]}, **protection}, "mlp", 1)
    seen = small.federation.seen
    assert 0 not in {*seen.models, *seen.open, *seen.answered}
    assert attacked(small, CASE) is None
    assert small.federation.refused == {0: [1]}


def test_the_others_are_attacked_as_ever():
    whole = federate_small({SPOIL: {"clients": []}}, "mlp", 1).federation.seen
    seen = federate_small({SPOIL: {"clients": [0]}}, "mlp", 1).federation.seen
    assert seen.answered == {1, 2}
    assert sorted(seen.models) == [1, 2]
    assert all(seen.models[client].equal(whole.models[client]) for client in (1, 2))


def test_members_that_are_in_no_model_are_not_asked_for():
    federation = federate_small({SPOIL: {"clients": [1]}}, "mlp", 1).federation
    rows = np.arange(CLIENTS)
    with pytest.raises(MedflError, match="the update of client 1 in round 1 is not finite"):
        confidences(federation, rows, rows)


def test_a_model_that_says_nan_is_one_sentence(monkeypatch):
    federation = federate_small({}, "mlp", 1).federation

    def diverged(*_):
        raise DivergedError("round 1: a model's predictions are not finite")

    monkeypatch.setattr("medfl.observed.attacked.predict", diverged)
    rows = np.arange(CLIENTS)
    with pytest.raises(MedflError, match="predictions are not finite, so it cannot be told"):
        confidences(federation, rows, rows)
