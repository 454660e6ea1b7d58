"""The coordinate-wise median, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from byzantine import rows_of
from chains import LINKS, build, runs_alike
from federations import Normed, federation, models
from softmax import Softmax, close

from medfl.chain import Message, Part
from medfl.robustness.median import CoordinateMedian, median


def test_medians_by_hand():
    values = [[1.0, 9.0], [4.0, 2.0], [7.0, 5.0]]
    assert median(rows_of(values)).tolist() == [4.0, 5.0]
    assert median(rows_of([*values, [5.0, 100.0]])).tolist() == [4.5, 7.0]


def test_weights_that_do_not_sum_to_one_keep_their_meaning():
    """The median of 1, 2 and 9 is 2; with weights 3 + 1 + 2 and base 10 the sum is 6 · (10 + 2)."""
    combination = CoordinateMedian().start()
    base = torch.tensor([10.0])
    for value, weight in ((11.0, 3.0), (12.0, 1.0), (19.0, 2.0)):
        part = Part(torch.tensor([value]), weight, base)
        combination.add(Message(0, {"a": part}, 1.0, 0.0, 1, 1))
    total = combination.total()["a"]
    assert (total.sum.item(), total.weight) == (72.0, 6.0)
    assert total.mean.item() == 12.0
    assert total.update.item() == 12.0


@pytest.mark.parametrize("name", ["fedavg", "fednova", "scaffold"])
def test_rounds_with_the_median(name):
    trainer = federation(
        name, {}, chain=LINKS["median"], sizes=(8, 16, 12, 6), clients_per_round=3, rounds=3
    )
    problem = Softmax(trainer)
    x = problem.start
    c, own = np.zeros_like(x), np.zeros((4, len(x)))
    for number, seen in enumerate(models(trainer)):
        if number:
            moves, tau, changes, sizes = [], [], [], []
            for k in problem.participants(number):
                steps = problem.batches(k, number)
                v = c - own[k] if name == "scaffold" else 0.0
                y = problem.descend(x, steps, correction=lambda y, v=v: v)
                new = own[k] - c + (x - y) / (0.1 * len(steps))
                changes.append(new - own[k])
                own[k] = new
                moves.append(y - x)
                tau.append(len(steps))
                sizes.append(len(problem.rows(k)))
            sizes, tau = np.array(sizes), np.array(tau)
            move = np.median(moves, axis=0)
            if name == "fednova":
                # (Σ n_i/τ_i) · median, over Σ n_i, times the median of the τ_i.
                move = np.median(tau) * (sizes / tau).sum() / sizes.sum() * move
            x = x + move
            # Three of four clients, with all that they weigh among the 42 samples.
            c = c + sizes.sum() * np.median(changes, axis=0) / 42
        assert close(seen, x)
    if name == "scaffold":
        assert close(trainer.server.algorithm.state["c"], c)


def test_one_client_has_the_median_of_itself():
    one = build("fedavg", {"rule": "median"}, sizes=(8,), model=Normed)
    runs_alike(build("fedavg", sizes=(8,), model=Normed), one, atol=1e-12)
