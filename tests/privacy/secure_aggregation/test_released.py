"""Two sums of the same model that give one client's update away, and what stops the second."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from medfl.privacy.secure_aggregation import (
    ProtocolSettings,
    RoundAbortedError,
    SimulatedAggregation,
    hash_of_model,
)
from medfl.privacy.secure_aggregation.released import ReleasedSums

MODEL = b"m" * 32


def after(*sums) -> ReleasedSums:
    released = ReleasedSums()
    for survivors in sums:
        assert released.objection(MODEL, survivors) is None
        released.add(MODEL, survivors)
    return released


@pytest.mark.parametrize(
    ("sums", "last", "client"),
    [
        ([(0, 1, 2, 3)], (0, 1, 2), 3),
        ([(0, 1, 2)], (0, 1, 2, 3), 3),
        ([(0, 1, 2, 3)], (0, 1, 2, 3), None),
        ([(0, 1, 2, 3)], (0, 1), None),
        ([(0, 1, 2)], (3, 4, 5), None),
        ([(0, 1, 2)], (1, 2, 3), None),  # the difference of two clients
        # (0 1 2) + (2 3 4) − (0 1 3 4) is twice client 2.
        ([(0, 1, 2), (2, 3, 4)], (0, 1, 3, 4), 2),
        # ½ ((0 1) + (0 2) − (1 2)) is client 0.
        ([(0, 1), (0, 2)], (1, 2), 0),
    ],
)
def test_by_hand(sums, last, client):
    found = after(*sums).objection(MODEL, last)
    assert found is None if client is None else f"client {client} alone" in found


@pytest.mark.parametrize(
    ("sums", "last", "colluding", "words"),
    [
        # The difference is u₃ + u₄: who knows u₄ has u₃.
        ([(0, 1, 2, 3, 4)], (0, 1, 2), 1, "one of clients 3, 4 alone"),
        ([(0, 1, 2, 3, 4)], (0, 1, 2), 0, None),
        ([(0, 1, 2)], (1, 2, 3), 1, "one of clients 0, 3 alone"),
        ([tuple(range(8))], tuple(range(5)), 1, None),  # three remain, of which two are honest
        ([tuple(range(8))], tuple(range(5)), 2, "one of clients 5, 6, 7 alone"),
        ([tuple(range(8))], tuple(range(8)), 3, None),  # the same sum again tells nothing new
        # (0 1 2) + (2 3 4) − (0 1 3 5) = 2 u₂ + u₄ − u₅; no two sums differ by so few.
        ([(0, 1, 2), (2, 3, 4)], (0, 1, 3, 5), 2, "one of clients 2, 4, 5 alone"),
    ],
)
def test_what_those_who_collude_know_is_taken_off(sums, last, colluding, words):
    found = after(*sums).objection(MODEL, last, colluding)
    assert found is None if words is None else words in found


def test_of_another_model_nothing_follows():
    assert after((0, 1, 2, 3)).objection(b"n" * 32, (0, 1, 2)) is None


def test_every_combination_is_seen_as_linear_algebra_sees_it():
    """Against numpy's ranks: a client is given away if its unit vector adds nothing to the rank."""
    sets = [c for k in (2, 3, 4) for c in itertools.combinations(range(5), k)]
    drawn = np.random.default_rng(0)
    outcomes = []
    for _ in range(300):
        released, rows = ReleasedSums(), []
        for pick in drawn.choice(len(sets), 4):
            row = [float(i in sets[pick]) for i in range(5)]
            rank = np.linalg.matrix_rank([*rows, row])
            given = any(
                np.linalg.matrix_rank([*rows, row, unit]) == rank for unit in np.eye(5).tolist()
            )
            assert bool(released.objection(MODEL, sets[pick])) == given
            outcomes.append(given)
            if not given:
                released.add(MODEL, sets[pick])
                rows.append(row)
    assert 50 < sum(outcomes) < len(outcomes) - 50


def test_clients_refuse_the_second_sum_and_the_round_says_why():
    rounds = SimulatedAggregation(range(4), ProtocolSettings())
    vector = np.arange(5, dtype="<u4")

    def play(number: int, text: bytes, present) -> list[int]:
        rounds.open(number, range(4), hash_of_model(text))
        for i in present:
            rounds.add(rounds.mask(i, vector))
        return rounds.finish().tolist()

    assert play(1, b"x", range(4)) == [0, 4, 8, 12, 16]
    with pytest.raises(RoundAbortedError, match=r"0 of 4 clients .* update of client 3 alone"):
        play(2, b"x", range(3))
    assert play(3, b"x", range(4)) == [0, 4, 8, 12, 16]
    assert play(4, b"y", range(3)) == [0, 3, 6, 9, 12]


def test_clients_count_those_that_may_collude():
    rounds = SimulatedAggregation(range(7), ProtocolSettings(colluding=1))
    for number, present in ((1, range(7)), (2, range(5))):
        rounds.open(number, range(7), hash_of_model(b"x"))
        for i in present:
            rounds.add(rounds.mask(i, np.arange(5, dtype="<u4")))
        if number == 1:
            assert rounds.finish().tolist() == [0, 7, 14, 21, 28]
    with pytest.raises(RoundAbortedError, match=r"one of clients 5, 6 alone, if the others"):
        rounds.finish()
