"""No hidden cell follows from what is shown: a linear program, which knows no rule, tries it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from medfl.disclosure.cells import hide_in_line, hide_in_table, in_words, is_small, shown


def interval(counts: np.ndarray, hidden: np.ndarray, cell: tuple[int, int]) -> tuple[float, float]:
    """The least and the most that a cell may be, given all totals and the cells that are shown."""
    rows, columns = counts.shape
    equations, totals = [], []
    for row in range(rows):
        equations.append((np.arange(rows)[:, None] == row) & np.ones((1, columns), bool))
        totals.append(counts[row].sum())
    for column in range(columns):
        equations.append((np.arange(columns)[None, :] == column) & np.ones((rows, 1), bool))
        totals.append(counts[:, column].sum())
    for place in np.argwhere(~hidden):
        only = np.zeros(counts.shape, bool)
        only[tuple(place)] = True
        equations.append(only)
        totals.append(counts[tuple(place)])
    lines = np.array([one.ravel() for one in equations], dtype=float)
    goal = np.zeros(counts.shape)
    goal[cell] = 1.0
    ends = []
    for sign in (1.0, -1.0):
        done = linprog(sign * goal.ravel(), A_eq=lines, b_eq=totals, bounds=(0, None))
        assert done.success, done.message
        ends.append(sign * done.fun)
    return ends[0], ends[1]


def test_the_linear_program_finds_a_cell_that_subtraction_gives():
    counts = np.array([[50, 3], [60, 40]])
    alone = np.array([[False, True], [False, False]])
    assert interval(counts, alone, (0, 1)) == pytest.approx((3, 3))
    # With all four hidden, 43 in the column and 53 in the row: the cell is anything from 0 to 43.
    assert interval(counts, np.ones((2, 2), bool), (0, 1)) == pytest.approx((0, 43))


def test_a_small_cell_takes_the_cheapest_rectangle_along():
    counts = np.array([[50, 3, 20], [60, 40, 21], [70, 12, 30], [80, 90, 95]])
    hidden = hide_in_table(counts, 10)
    # (0, 1) = 3 moves against (2, 2) = 30, (0, 2) = 20 and (2, 1) = 12: 3 down and 12 up.
    assert np.argwhere(hidden).tolist() == [[0, 1], [0, 2], [2, 1], [2, 2]]


@pytest.mark.parametrize("shape", [(2, 3), (4, 3), (12, 3), (6, 7)])
def test_every_small_cell_of_random_tables_stays_wide_open(shape):
    random = np.random.default_rng(sum(shape))
    whole, tried = 0, 0
    for _ in range(25):
        counts = random.poisson(random.choice([2, 8, 30, 80], size=shape))
        hidden = hide_in_table(counts, 10)
        small = np.argwhere(is_small(counts, 10))
        assert hidden[is_small(counts, 10)].all()
        if hidden.all():  # the table had too few people, or needed all its cells
            whole += 1
            continue
        tried += len(small)
        for place in small:
            low, high = interval(counts, hidden, tuple(place))
            assert high - low >= 10 - 1e-6, (counts, hidden, place)
    assert tried > 5


def test_a_column_of_small_cells_alone_hides_one_more_column():
    counts = np.column_stack([[50] * 8, [2] * 8, [30] * 8])
    hidden = hide_in_table(counts, 10)
    # No rectangle is wide enough: 2 down and 2 up. All eight together have 16.
    assert hidden.tolist() == [[True, True, False]] * 8
    assert interval(counts, hidden, (0, 1)) == pytest.approx((0, 16))


def test_a_table_of_too_few_people_is_hidden_whole():
    assert hide_in_table([[50, 3], [60, 4]], 10).all()
    assert hide_in_table([[3, 50, 70]], 10).all()


def test_nothing_is_hidden_where_no_cell_is_small():
    counts = np.array([[10, 0], [11, 500]])
    assert not hide_in_table(counts, 10).any()
    assert not hide_in_table(np.array([[1, 2], [3, 4]]), 0).any()
    assert not hide_in_table(np.zeros((0, 3)), 10).any()


def test_cells_that_are_sensitive_for_another_reason_are_protected_as_well():
    counts = np.array([[90, 30], [80, 35], [70, 40]])
    patients = np.array([[False, True], [False, False], [False, False]])  # 30 images of 4 people
    hidden = hide_in_table(counts, 10, patients)
    assert hidden.sum() == 4
    low, high = interval(counts, hidden, (0, 1))
    assert high - low >= 10


def test_cells_hidden_before_are_used_for_the_rectangle():
    counts = np.array([[50, 3, 20], [60, 40, 21], [70, 42, 30]])
    before = np.zeros((3, 3), bool)
    before[1] = True
    hidden = hide_in_table(counts, 10, hidden=before)
    assert np.argwhere(hidden).tolist() == [[0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


def test_a_line_hides_two_at_least_and_as_many_as_the_minimum():
    assert hide_in_line([300, 8, 60], 10).tolist() == [False, True, True]
    assert hide_in_line([300, 2, 3, 40], 10).tolist() == [False, True, True, True]
    assert hide_in_line([300, 6, 7, 0], 10).tolist() == [False, True, True, False]
    assert hide_in_line([300, 0, 60], 10).tolist() == [False, False, False]
    assert hide_in_line([8], 10).tolist() == [True]


def test_small_counts_in_words_and_none():
    assert [shown(one, 10) for one in (0, 1, 9, 10)] == [0, None, None, 10]
    assert [in_words(one, 10) for one in (0, 9, 1234)] == ["0", "fewer than 10", "1,234"]
    assert shown(3, 0) == 3
