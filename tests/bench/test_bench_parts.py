"""What parts of the bench share; and a part that had ceased to measure what it says."""

from __future__ import annotations

import os

import pytest

from benchmarks import startup
from benchmarks.timing import ROOT, environment


@pytest.mark.parametrize(
    ("given", "after"), [(None, ""), ("", ""), ("/site", f"{os.pathsep}/site")]
)
def test_children_have_this_checkout_and_the_callers_packages(monkeypatch, given, after):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if given is not None:
        monkeypatch.setenv("PYTHONPATH", given)
    assert environment()["PYTHONPATH"] == f"{ROOT}{after}"
    assert environment()["OMP_NUM_THREADS"] == "1"


@pytest.mark.slow
def test_a_start_ends_before_the_first_computation_and_a_whole_job_takes_longer():
    start, _, whole = startup.run(1)
    assert start.name == "start to first step ÷ import torch, cnn"
    assert start.median < whole.median
