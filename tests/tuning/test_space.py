"""The points of a search space, worked out by hand from Halton's sequence."""

from __future__ import annotations

import pytest

from medfl.config import SearchRange
from medfl.errors import MedflError
from medfl.tuning.space import points, range_ends, value_at

DECADES = SearchRange(low=0.01, high=1.0)


def test_the_first_point_is_what_is_shipped_and_the_others_are_haltons():
    space = {"a": DECADES, "b": SearchRange(low=0.0, high=9.0, scale="linear")}
    found = points(space, {"a": 0.5, "b": 1.0}, 5)
    # In base 2: 1/2, 1/4, 3/4, 1/8 of two decades; in base 3: 1/3, 2/3, 1/9, 4/9 of nine.
    assert found == [
        {"a": 0.5, "b": 1.0},
        {"a": 0.1, "b": 3.0},
        {"a": 0.03162, "b": 6.0},
        {"a": 0.3162, "b": 1.0},
        {"a": 0.01778, "b": 4.0},
    ]
    assert points(space, {"a": 0.5, "b": 1.0}, 3) == found[:3]


def test_a_relative_range_passes_over_the_shipped_value_in_its_middle():
    # 0.02 to 2, of which 1/2 is 0.2 itself; then 1/4, 3/4 and 1/8.
    rates = SearchRange(low=0.1, high=10.0, relative=True)
    found = points({"rate": rates}, {"rate": 0.2}, 4)
    assert [one["rate"] for one in found] == [0.2, 0.06325, 0.6325, 0.03557]


def test_a_list_is_cut_into_equal_parts():
    # 1/2, 1/4, 3/4 of three values are the second, the first and the third.
    found = points({"option": ["x", "y", "z"]}, {"option": "x"}, 3)
    assert [one["option"] for one in found] == ["x", "y", "z"]


@pytest.mark.parametrize(("at", "value"), [(0.0, 1), (0.5, 10), (0.75, 32)])
def test_whole_numbers_stay_whole(at, value):
    assert value_at(SearchRange(low=1.0, high=100.0), at, shipped=5) == value
    assert isinstance(value_at(SearchRange(low=1.0, high=100.0), at, shipped=5), int)


def test_a_space_with_too_few_points_says_how_many_it_has():
    with pytest.raises(MedflError, match="it has 2 different points, and 4 are asked for"):
        points({"option": [1, 2]}, {"option": 1}, 4)


@pytest.mark.parametrize(
    ("searched", "shipped", "said"),
    [
        # 5 · 10^-324 · 0.05 is 0 in double precision, and 10 · 10^308 no number.
        (
            SearchRange(low=5e-324, high=10.0, relative=True),
            0.05,
            r"low is 4.9\d*e-324, times the 0.05 that is shipped, which is no number above 0",
        ),
        (
            SearchRange(low=0.1, high=10.0, relative=True),
            1e308,
            r"from 0.1 to 10, times the 1e\+308 that is shipped, is too wide a range",
        ),
        (
            SearchRange(low=-1.7e308, high=1.7e308, scale="linear"),
            0.1,
            r"from -1.7e\+308 to 1.7e\+308 is too wide a range",
        ),
        # A whole number of at most 10^18 is meant.
        (SearchRange(low=1.0, high=1.1e18), 32, r"from 1 to 1.1e\+18 is too wide a range"),
    ],
)
def test_a_range_of_which_no_point_can_be_computed_is_refused(searched, shipped, said):
    with pytest.raises(MedflError, match=said):
        points({"a": searched}, {"a": shipped}, 3)


def test_a_range_ends_where_numbers_do():
    assert range_ends(SearchRange(low=5e-324, high=1.7e308), 0.1) == (5e-324, 1.7e308)
    assert range_ends(SearchRange(low=1.0, high=1e18), 32) == (1, 10**18)
    assert range_ends(SearchRange(low=0.5, high=2.0, relative=True), 8) == (4, 16)
