"""Clients get enough validation and test samples, where the patients allow it."""

from __future__ import annotations

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import make_split
from medfl.partition.deal import top_up


def topped(owner, sizes, keys, shares, minimum, allowed=None):
    shares = np.array(shares, float)
    allowed = np.ones(shares.shape, bool) if allowed is None else np.array(allowed)
    args = np.array(owner), np.array(sizes), np.array(keys), shares, minimum, allowed
    owner, moved = top_up(*args, np.random.default_rng(0))
    return owner.tolist(), moved


def test_a_poor_receiver_gets_its_own_mixture():
    """Receiver 1 was dealt three quarters of label 0; it takes three groups of it and one of 1."""
    owner, keys = [0] * 10, [0, 1] * 5
    owner, moved = topped(owner, [1] * 10, keys, [[6, 6], [3, 1]], 4)
    assert moved == 4
    assert sorted(key for key, who in zip(keys, owner, strict=True) if who == 1) == [0, 0, 0, 1]


def test_where_groups_do_not_suffice_nobody_stays_behind():
    """Of 7 groups and 4 receivers with a minimum of 5, one has 4 and the others 1 each."""
    owner, moved = topped([0, 0, 0, 0, 1, 2, 3], [1] * 7, [0] * 7, [[1]] * 4, 5)
    assert sorted(np.bincount(owner).tolist()) == [1, 2, 2, 2]
    assert moved == 2


def test_only_allowed_labels_move_and_no_group_is_cut():
    owner = [0, 0, 0, 1]
    assert topped(owner, [4, 4, 4, 1], [0, 0, 1, 1], [[1, 1], [1, 1]], 3)[1] == 4
    allowed = [[True, True], [False, False]]
    assert topped(owner, [4, 4, 4, 1], [0, 0, 1, 1], [[1, 1], [1, 1]], 3, allowed) == (owner, 0)


@pytest.mark.parametrize("word", ["dirichlet-0.1", "quantity-1.5", "dirichletquantity-0.5"])
def test_every_client_has_enough_to_be_judged(make_store, word):
    """600 patients: 120 test and 90 validation images are enough for six clients."""
    for seed in range(3):
        store = make_store(np.arange(600) % 3)
        usual = make_split(store, word, 6, seed)
        assert usual.counts()[:, 1].min() >= 5
        assert usual.counts()[:, 2].min() >= 10
        least = make_split(store, word, 6, seed, min_val=1, min_test=1)
        # Folds are those of the seed, and training samples stay where they are.
        np.testing.assert_array_equal(usual.folds, least.folds)
        train = usual.folds == "train"
        np.testing.assert_array_equal(usual.clients[train], least.clients[train])
        assert usual.moved >= least.moved
        assert usual.below("test", 10) == {}
        few = least.below("test", 10)
        assert few == {k: n for k, n in enumerate(least.counts()[:, 2]) if n < 10}


def test_where_patients_do_not_allow_it_they_are_shared_out(make_store):
    """20 test images of 100 for 10 clients: two each, and nobody is refused."""
    split = make_split(make_store(np.arange(100) % 2), "dirichlet-1", 10, 0)
    assert split.counts()[:, 2].tolist() == [2] * 10
    assert split.below("test", 10) == dict.fromkeys(range(10), 2)


@pytest.mark.parametrize("name", ["min_val", "min_test"])
def test_less_than_one_is_refused(make_store, name):
    with pytest.raises(MedflError, match=f"{name} must be 1 or more, not 0"):
        make_split(make_store(np.arange(60) % 2), "iid", 2, 0, **{name: 0})
