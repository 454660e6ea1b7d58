"""Copies of clients change no average, and the order of clients changes no bit."""

from __future__ import annotations

import pytest
import torch
from federations import ALGORITHMS, Normed, comparable, federation, models

FEDERATED = sorted(set(ALGORITHMS) - {"local", "centralized"})


def build(name, **settings):
    return federation(name.split("-")[0], ALGORITHMS[name], model=Normed, **settings)


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("name", FEDERATED)
def test_duplicating_every_client_changes_no_average(name, weighting):
    # Whole-client batches: a copy shuffles otherwise, and only sums may feel it.
    settings = {"batch_size": 100, "local_steps": 2, "weighting": weighting, "momentum": 0.5}
    if name in ("feddyn", "moon", "ditto"):
        settings["momentum"] = 0.0
    once, twice = build(name, **settings), build(name, duplicate=True, **settings)
    for a, b in zip(models(once), models(twice), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-10)
    assert torch.allclose(once.server.buffers, twice.server.buffers, rtol=0, atol=1e-10)
    assert twice.history[-1]["steps"] == 2 * once.history[-1]["steps"]


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_order_of_clients_changes_no_bit(name):
    sizes = (8, 16, 12, 7, 9)
    settings = {"sizes": sizes, "clients_per_round": 4, "rounds": 3}
    one, other = build(name, **settings), build(name, reverse=True, **settings)
    assert all(torch.equal(a, b) for a, b in zip(models(one), models(other), strict=True))
    assert torch.equal(one.server.buffers, other.server.buffers)
    assert comparable(one.history) == comparable(other.history)
    assert one.client_history == other.client_history


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_random_state_of_the_process_changes_no_bit(name):
    one = build(name)
    first = models(one)
    other = build(name)
    torch.manual_seed(99)
    torch.rand(7)
    assert all(torch.equal(a, b) for a, b in zip(first, models(other), strict=True))


def test_a_seed_changes_everything():
    assert not torch.equal(models(build("fedavg"))[-1], models(build("fedavg", seed=1))[-1])
