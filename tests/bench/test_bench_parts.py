"""Parts of the bench that have stopped to measure what they say."""

from __future__ import annotations

import pytest

from benchmarks import startup


@pytest.mark.slow
def test_a_start_ends_before_the_first_computation_and_a_whole_job_takes_longer():
    start, _, whole = startup.run(1)
    assert start.name == "start to first step ÷ import torch, cnn"
    assert start.median < whole.median
