"""Dealing and mending, by hand."""

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import make_split
from medfl.partition.deal import deal, fill, top_up
from medfl.partition.groups import Groups
from medfl.partition.label import pathological_holders


def _fill(owner, sizes, keys, wish, minimum, **more):
    wish = np.array(wish, float)
    allowed = more.pop("allowed", np.ones(wish.shape, bool))
    rng = np.random.default_rng(0)
    owner, moved = fill(
        np.array(owner), np.array(sizes), np.array(keys), wish, minimum, allowed, rng, **more
    )
    return owner.tolist(), moved


def test_targets_are_met_exactly_where_they_are_whole():
    counts = np.eye(2, dtype=int)[np.repeat([0, 1], [6, 4])]
    desired = np.array([[1, 4], [5, 0]])
    for seed in range(5):
        owner = deal(counts, desired, np.random.default_rng(seed))
        np.testing.assert_array_equal([counts[owner == m].sum(0) for m in range(2)], desired)


def test_a_group_of_many_labels_goes_by_its_rarest():
    """Label 1 is rare and wished by receiver 1 only; its group carries label 0 along."""
    counts = np.array([[2, 1], [2, 0], [2, 0], [2, 0]])
    owner = deal(counts, np.array([[4.0, 0.0], [4.0, 1.0]]), np.random.default_rng(0))
    assert owner[0] == 1
    assert sorted(owner) == [0, 0, 1, 1]


def test_the_poor_take_what_they_wish_most_from_the_richest():
    """Receiver 2 wishes label 1; receiver 0 holds most and has one group of it."""
    owner = [0, 0, 0, 0, 1, 1]
    keys = [0, 0, 0, 1, 1, 1]
    wish = [[3, 1], [0, 2], [0.2, 0.6]]
    assert _fill(owner, [1] * 6, keys, wish, 1) == ([0, 0, 0, 2, 1, 1], 1)


def test_no_one_gives_below_the_minimum_and_the_smallest_group_is_enough():
    assert _fill([0, 0, 1], [3, 2, 1], [0, 0, 0], [[1], [1]], 3) == ([0, 1, 1], 2)
    # Both groups of receiver 0 are needed there: receiver 1 stays poor.
    assert _fill([0, 0, 1], [2, 2, 1], [0, 0, 0], [[1], [1]], 3) == ([0, 0, 1], 0)


def test_a_strict_scheme_takes_only_allowed_labels_and_leaves_one_of_each():
    owner, sizes, keys = [0, 0, 0, 1], [1] * 4, [0, 1, 1, 1]
    wish = [[1, 2], [2, 1]]
    assert _fill(owner, sizes, keys, wish, 2)[0] == [1, 0, 0, 1]
    # Of label 1 receiver 0 has two groups, and may give one of them.
    kept, moved = _fill(owner, sizes, keys, wish, 2, keep_classes=True)
    assert (kept[0], sorted(kept[1:3]), kept[3], moved) == (0, [0, 1], 1, 1)
    allowed = np.array([[True, True], [True, False]])
    assert _fill(owner, sizes, keys, wish, 2, keep_classes=True, allowed=allowed) == (owner, 0)


def test_a_group_of_two_labels_alike_stands_for_the_rarer(make_store):
    """Patient a has one image of each label; label 0 is also of b and c, and label 1 of d."""
    store = make_store([0, 1, 0, 0, 1], groups=np.array(["a", "a", "b", "c", "d"]))
    assert Groups.of(store).keys.tolist() == [1, 0, 0, 1]


def test_no_class_is_given_to_more_clients_than_it_has_patients():
    for seed in range(20):
        holders = pathological_holders(np.array([1, 5]), ("rare", "other"), 3, 1, seed)
        assert holders.sum(axis=0).tolist() == [1, 2]


def test_a_client_of_one_class_is_not_mended_with_another(make_store):
    """Of class 0 there are 8 images: its client cannot have 12, and gets none of class 1."""
    store = make_store([0] * 8 + [1] * 60)
    with pytest.raises(MedflError, match="pathological-1"):
        make_split(store, "pathological-1", 2, 0, min_samples=12)
    split = make_split(store, "pathological-1", 2, 0, min_samples=4)
    held = [set(np.asarray(store.labels)[split.indices(k, "train")]) for k in range(2)]
    assert sorted(held, key=min) == [{0}, {1}]


def test_a_class_that_nobody_trains_on_goes_to_anyone(make_store):
    """Published folds have class 2 in the test alone: it still is somebody's to be judged on."""
    labels = np.array([0, 1] * 20 + [0, 1, 2] * 4)
    folds = ["train"] * 28 + ["val"] * 12 + ["test"] * 12
    split = make_split(make_store(labels, folds=folds), "pathological-1", 2, 0, min_test=1)
    held = [set(labels[split.indices(k, "train")]) for k in range(2)]
    assert sorted(held, key=min) == [{0}, {1}]
    tested = [labels[split.indices(k, "test")].tolist() for k in range(2)]
    assert sorted(tested[0] + tested[1]) == [0] * 4 + [1] * 4 + [2] * 4
    assert all(2 in own for own in tested)


def test_sites_are_divided_by_their_training_samples(make_store):
    """Site a trains on 30 patients and b on 3; of validation b has most."""
    folds = ["train"] * 30 + ["val"] + ["test"] * 6 + ["train"] * 3 + ["val"] * 30 + ["test"] * 6
    sites = ["a"] * 37 + ["b"] * 39
    store = make_store([0, 1] * 38, folds=folds, sites=sites)
    split = make_split(store, "site-dirichlet-0.5", 4, 0, min_samples=1, min_val=1, min_test=1)
    where = [{sites[row] for row in split.indices(k, "train")} for k in range(4)]
    assert sorted(map(sorted, where)) == [["a"], ["a"], ["a"], ["b"]]


def test_every_class_is_trained_on_even_where_training_is_the_smallest_fold(make_store):
    labels = np.array([0] * 60 + [1, 1])
    for seed in range(5):
        split = make_split(make_store(labels), "iid", 2, seed, val_fraction=0.3, test_fraction=0.5)
        assert "train" in split.folds[-2:]


def test_a_minimum_that_nobody_can_reach_ends_where_the_highest_that_all_can_does():
    """Seven samples of one receiver: the other gets three, and then neither can spare any."""
    owner, sizes, keys = np.zeros(7, int), np.ones(7, int), np.zeros(7, int)
    owner[0] = 1
    shares, allowed = np.ones((2, 1)), np.ones((2, 1), bool)
    for minimum in (3, 4, 10**18):
        rng = np.random.default_rng(0)
        found, moved = top_up(owner, sizes, keys, shares, minimum, allowed, rng)
        assert (np.bincount(found).tolist(), moved) == ([4, 3], 2)
