"""A reader of every file of a split: one linear program over all three of its tables at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import linprog

from medfl.disclosure.cells import is_small
from medfl.disclosure.split import HiddenCells, hide_in_split

Known = list[tuple[np.ndarray, float]]


def told(counts: np.ndarray, hidden: HiddenCells) -> Known:
    """What the files say of (clients, folds, classes) samples: which of them add up to what.

    All totals of the three tables count as known, whether a file has them or not.
    """
    clients, folds, classes = counts.shape
    found: Known = []

    def add(*where: object) -> None:
        mask = np.zeros(counts.shape)
        mask[where] = 1.0
        found.append((mask, float((mask * counts).sum())))

    every = slice(None)
    for client in range(clients):
        add(client)
        for fold in range(folds):
            if not hidden.sizes[client, fold]:
                add(client, fold)
        for label in range(classes):
            if not hidden.labels[client, label]:
                add(client, 0, label)
    for fold in range(folds):
        add(every, fold)
        for label in range(classes):
            if not hidden.classes[label, fold]:
                add(every, fold, label)
    for label in range(classes):
        add(every, every, label)
    return found


def width(goal: np.ndarray, known: Known) -> float:
    """How far apart the least and the most are that a sum of samples may be."""
    lines = np.array([mask.ravel() for mask, _ in known])
    totals = np.array([total for _, total in known])
    ends = []
    for sign in (1.0, -1.0):
        done = linprog(sign * goal.ravel(), A_eq=lines, b_eq=totals, bounds=(0, None))
        assert done.success, done.message
        ends.append(sign * done.fun)
    return float(ends[1] - ends[0])


def small_sums(counts: np.ndarray, hidden: HiddenCells) -> Iterator[np.ndarray]:
    """The small cells of the tables; those of a table that is hidden whole are left out."""
    _clients, _folds, _classes = counts.shape
    tables = [
        (hidden.sizes, counts.sum(2), lambda i, j: (i, j)),
        (hidden.labels, counts[:, 0], lambda i, j: (i, 0, j)),
        (hidden.classes, counts.sum(0).T, lambda i, j: (slice(None), j, i)),
    ]
    for mask, table, place in tables:
        assert mask[is_small(table, hidden.minimum)].all()
        for i, j in np.argwhere(is_small(table, hidden.minimum)) if not mask.all() else ():
            goal = np.zeros(counts.shape)
            goal[place(i, j)] = 1.0
            yield goal


@pytest.mark.parametrize("seed", range(8))
def test_no_small_number_follows_from_all_files_together(seed):
    random = np.random.default_rng(seed)
    shares = random.dirichlet([1.5] * 4, size=6)  # six hospitals, four classes
    sizes = random.choice([30, 90, 400], size=6)[:, None] * np.array([0.7, 0.12, 0.18])
    counts = random.poisson(sizes[:, :, None] * shares[:, None, :]).astype(float)
    hidden = hide_in_split(counts.sum(2), counts.sum(2), counts, 10)
    known = told(counts, hidden)
    for goal in small_sums(counts, hidden):
        assert width(goal, known) >= 10 - 1e-6


def test_the_program_finds_what_one_table_gives_away_of_another():
    """Were a client's row of classes shown, it would add up to its hidden training samples."""
    counts = np.full((3, 3, 2), 20.0)
    counts[1, 0] = (6, 2)
    hidden = hide_in_split(counts.sum(2), counts.sum(2), counts, 10)
    careless = HiddenCells(
        10, hidden.sizes, np.zeros_like(hidden.labels), hidden.classes, hidden.folds
    )
    goal = np.zeros(counts.shape)
    goal[1, 0] = 1.0
    assert width(goal, told(counts, careless)) == pytest.approx(0)
    assert width(goal, told(counts, hidden)) >= 10
