"""The time of the GPU script is shared out, with a clock that the test moves."""

from __future__ import annotations

import pytest

from benchmarks.on_gpu.budget import Budget, NoTimeError, pairs_within
from benchmarks.timing import Cost


class Clock:
    now = 100.0

    def __call__(self):
        return self.now

    def takes(self, seconds):
        """A measurement that takes so long."""

        def measured():
            self.now += seconds
            return Cost(seconds, seconds)

        return measured


@pytest.fixture
def clock():
    return Clock()


def test_what_a_part_leaves_over_goes_to_those_after_it(clock):
    budget = Budget(100, {"a": 1, "b": 1, "c": 2}, clock)
    assert budget.open("a") == 25  # 100 × 1/4
    clock.now += 10
    assert budget.left() == 15
    assert budget.open("b") == 30  # 90 × 1/3
    clock.now += 50  # 20 more than its share
    assert budget.left() == -20
    assert budget.open("c") == 40  # all that is left
    clock.now += 41
    with pytest.raises(NoTimeError, match=r"^0 s of this part's share are left$"):
        budget.check()


def test_as_many_pairs_as_fit(clock):
    budget = Budget(30, {"a": 1}, clock)
    budget.open("a")
    # 5 s to warm up; pairs of 5 s each until no further one fits: 25 s ÷ 5 s, and the last is
    # not begun with 5 s left.
    costs = pairs_within(budget, clock.takes(3), clock.takes(2), 100)
    assert costs == [(Cost(3, 3), Cost(2, 2))] * 4
    assert clock.now == 125


def test_no_more_pairs_than_asked_for(clock):
    budget = Budget(1000, {"a": 1}, clock)
    budget.open("a")
    assert len(pairs_within(budget, clock.takes(3), clock.takes(2), 6)) == 6


def test_where_not_one_pair_fits_it_says_how_long_it_takes(clock):
    budget = Budget(11, {"a": 1}, clock)
    budget.open("a")
    with pytest.raises(NoTimeError, match=r"^5 s of this part's share are left; about 6 s are"):
        pairs_within(budget, clock.takes(4), clock.takes(2), 5)
