"""The plain loop that runs beside every figure."""

from __future__ import annotations

import pytest
import torch

from benchmarks.timing import Cost, Result
from benchmarks.yardstick import beside, plain_epoch


def test_a_step_takes_time_and_leaves_threads_and_draws_alone():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    step = plain_epoch(steps=2)
    spent = step()
    assert 0 < spent.cpu < 1
    assert torch.equal(torch.rand(2), expected)
    torch.set_num_threads(2)
    try:
        step()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_who_waits_for_others_is_known():
    """Before and after: 1 s and 1 s of processor, 1.4 s and 1.2 s of wall: 2.6 ÷ 2 = 1.3."""
    costs = iter([Cost(1.0, 1.4), Cost(1.0, 1.2), Cost(1.0, 1.0)])
    (figure,) = beside([Result("x", [1.0])], lambda: next(costs))
    assert figure.waited == pytest.approx(1.3)
    assert figure.busy
    costs = iter([Cost(1.0, 1.1), Cost(1.0, 1.1), Cost(1.0, 1.0)])
    (figure,) = beside([Result("x", [1.0])], lambda: next(costs))
    assert not figure.busy
