"""The masked sum is the sum of what was masked, whoever drops out when; or there is no sum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from secure_rounds import Hospitals, model

from medfl.privacy.secure_aggregation import (
    ProtocolSettings,
    RefusedMessageError,
    RoundAbortedError,
    SimulatedAggregation,
)


def outcome(fates: tuple[int, ...], threshold: int) -> list[int] | None:
    """Who is in the sum by the paper: t clients must answer each of the five messages.

    And no sum is of two, each of whom could read the other's update from it.
    """
    heard = [[i for i, fate in enumerate(fates) if fate >= step] for step in range(1, 6)]
    enough = all(len(those) >= threshold for those in heard) and len(heard[2]) >= 3
    return heard[2] if enough else None


def check(hospitals: Hospitals, fates: tuple[int, ...], number: int, threshold: int) -> bool:
    expected = outcome(fates, threshold)
    if expected is None:
        with pytest.raises(RoundAbortedError):
            hospitals.run(dict(enumerate(fates)), number)
        return False
    total = hospitals.run(dict(enumerate(fates)), number)
    # Entry k of client i is 1000 i + k + 1, so the sum needs no code of ours.
    by_hand = [1000 * sum(expected) + len(expected) * (k + 1) for k in range(7)]
    assert total.tolist() == by_hand
    return True


def test_three_clients_under_all_patterns_of_dropping_out():
    """Two of three must stay: 6³ patterns, of which those with a sum are counted by hand.

    With t = 2 a sum needs two clients that answer all five messages, and the third must have
    masked: all three stay (1), or one of three leaves at one of the two places after that (3 · 2).
    """
    hospitals = Hospitals(3)
    patterns = list(itertools.product(range(6), repeat=3))
    sums = [check(hospitals, fates, number, 2) for number, fates in enumerate(patterns, 1)]
    assert (len(sums), sum(sums)) == (216, 7)


def test_four_clients_that_drop_out_before_and_after_masking():
    """Each stays away from masking, the confirmation or the answer, or stays to the end."""
    hospitals = Hospitals(4)
    patterns = list(itertools.product((2, 3, 4, 5), repeat=4))
    sums = [check(hospitals, fates, number, 3) for number, fates in enumerate(patterns, 1)]
    # All stay, or one of four leaves at one of three places.
    assert sum(sums) == 1 + 4 * 3


def test_with_two_that_collude_all_four_clients_must_stay():
    hospitals = Hospitals(4, ProtocolSettings(colluding=2))
    patterns = list(itertools.product((2, 4, 5), (5,), (3, 5), (5,)))
    sums = [check(hospitals, fates, number, 4) for number, fates in enumerate(patterns, 1)]
    assert sums == [False] * 5 + [True]


def test_seven_clients_of_which_three_leave_at_different_places():
    hospitals = Hospitals(7)
    for number, left in enumerate(itertools.permutations((1, 2, 4), 3), 1):
        assert check(hospitals, (5, left[0], 5, left[1], left[2], 5, 5), number, 4)
    assert not check(hospitals, (5, 4, 4, 4, 4, 5, 5), 99, 4)


@pytest.mark.parametrize("bits", [32, 64])
def test_sums_wrap_around_at_the_size_of_the_ring_alone(bits):
    hospitals = Hospitals(3, ProtocolSettings(ring_bits=bits))
    top = np.array([2**bits - 1, 2 ** (bits - 1), 5], f"<u{bits // 8}")
    total = hospitals.run({0: 5, 1: 5, 2: 5}, vectors=dict.fromkeys(range(3), top))
    assert total.dtype == top.dtype
    assert total.tolist() == [2**bits - 3, 2 ** (bits - 1), 15]


def test_vectors_longer_than_a_block_and_of_any_length():
    drawn = np.random.default_rng(0)
    for number, d in enumerate((1, 16383, 16384, 16385, 50001), 1):
        hospitals = Hospitals(3)
        vectors = {i: drawn.integers(0, 2**32, d, "<u4") for i in range(3)}
        total = hospitals.run({0: 5, 1: 3, 2: 5}, number, vectors)
        assert (total == vectors[0] + vectors[1] + vectors[2]).all()


def test_the_next_round_goes_on_after_one_that_ended_without_a_sum():
    hospitals = Hospitals(3)
    with pytest.raises(RoundAbortedError, match="1 of 3 clients sent their masked vectors"):
        hospitals.run({0: 5, 1: 2, 2: 2}, 1)
    assert check(hospitals, (5, 5, 5), 2, 2)


def test_clients_that_leave_after_masking_count_against_the_threshold():
    rounds = SimulatedAggregation(range(5), ProtocolSettings())
    vector = np.arange(4, dtype="<u4")
    for number, gone in ((1, [0, 4]), (2, [0, 2, 4])):
        rounds.open(number, range(5), model(number))
        for i in range(5):
            rounds.add(rounds.mask(i, vector))
        if len(gone) == 2:
            assert rounds.finish(gone).tolist() == [0, 5, 10, 15]
            continue
        with pytest.raises(RoundAbortedError, match="2 of 5 clients sent their confirmations"):
            rounds.finish(gone)
    with pytest.raises(RefusedMessageError, match="round 2 has no shares for client 0"):
        rounds.mask(0, vector)


def test_numbers_of_clients_need_not_follow_each_other():
    hospitals = Hospitals(9)
    chosen = [2, 5, 8]
    opening = hospitals.server.open(1, chosen, model(1))
    for i in chosen:
        hospitals.give(hospitals.clients[i].advertise(opening, model(1)))
    roster = hospitals.server.roster()
    for i in chosen:
        hospitals.give(hospitals.clients[i].share(roster))
    delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
    for i in reversed(chosen):
        hospitals.give(hospitals.clients[i].mask(delivered[i], vectors[i]))
    survivors = hospitals.server.survivors()
    for i in chosen:
        hospitals.give(hospitals.clients[i].confirm(survivors))
    request = hospitals.server.request()
    for i in (8, 2):
        hospitals.give(hospitals.clients[i].unmask(request))
    assert hospitals.server.finish().tolist() == [15000 + 3 * (k + 1) for k in range(7)]
