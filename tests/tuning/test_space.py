"""The points of a search space, worked out by hand from Halton's sequence."""

from __future__ import annotations

import pytest

from medfl.config import SearchRange
from medfl.errors import MedflError
from medfl.tuning.space import points, value_at

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
