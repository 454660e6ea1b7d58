"""How long a run takes, by short rounds on few samples."""

from __future__ import annotations

import numpy as np
import pytest
from federations import small_store, split_of

from medfl.config import FederatedConfig
from medfl.federated.probe import few_of, probe


def config(**settings):
    given = {"num_clients": 2, "model": "logistic", "device": "cpu", "batch_size": 4, "rounds": 10}
    return FederatedConfig(**{**given, **settings})


@pytest.fixture
def store():
    return small_store(120, size=8)


def test_few_samples_of_each_clients_folds(store):
    split = split_of(store, [60, 30])
    few = few_of(split, 4)
    assert (few.counts() <= 4).all()
    assert (few.counts() == np.minimum(split.counts(), 4)).all()
    assert (split.folds != "").sum() > (few.folds != "").sum(), "what was given stays"


@pytest.mark.parametrize(
    ("work", "whole", "points"),
    [({"local_epochs": 2}, "samples", (8, 24)), ({"local_steps": 7}, "steps", (1, 3))],
)
def test_a_line_through_two_short_rounds(store, work, whole, points):
    """A round of n samples, or steps, takes 5 + 0.5 n seconds here, an evaluation 0.1 a sample."""
    split = split_of(store, [60, 30])
    train, val, test = split.counts().sum(axis=0)
    seen = []

    def timed(short, store, few):
        learning = short.federated_learning
        assert learning.rounds == 2
        counts = few.counts().sum(axis=0)
        n = counts[0] * learning.local_epochs if whole == "samples" else learning.local_steps
        seen.append(n)
        return 5 + 0.5 * n, 0.1 * (counts[1] + counts[2])

    found = probe(config(**work, evaluate_every=5), store, split, timed)
    assert tuple(seen) == points
    n = 2 * train if whole == "samples" else 7
    # Evaluated after rounds 0, 5 and 10.
    assert found == pytest.approx(10 * (5 + 0.5 * n) + 3 * 0.1 * (val + test))


def test_a_run_is_really_trained_and_nothing_written(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert probe(config(), store, split_of(store, [60, 30])) > 0
    assert list(tmp_path.iterdir()) == []
