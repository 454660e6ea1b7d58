"""Heterogeneity by hand and against scipy."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, wasserstein_distance

from medfl.partition import Split, heterogeneity, make_split
from medfl.partition.heterogeneity import (
    effective_classes,
    gini,
    jensen_shannon,
    wasserstein,
)


def test_jensen_shannon_is_scipys():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.full(6, 0.3), (2, 20))
    p[0, :3] = 0
    p /= p.sum(1, keepdims=True)
    expected = [jensenshannon(a, b, base=2) for a, b in zip(p, q, strict=True)]
    assert jensen_shannon(p[:, None], q[:, None]) == pytest.approx(expected)


def test_wasserstein_is_scipys():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(256, 0.3), (2, 10))
    levels = np.arange(256) / 255
    expected = [wasserstein_distance(levels, levels, a, b) for a, b in zip(p, q, strict=True)]
    assert wasserstein(p, q) == pytest.approx(expected)


def test_effective_classes():
    counts = np.array([[4, 0, 0], [5, 5, 0], [2, 2, 2], [0, 0, 0], [0, 1, 0], [7, 2, 1]])
    assert effective_classes(counts) == pytest.approx([1, 2, 3, 0, 1, np.exp(entropy([7, 2, 1]))])


def test_gini_by_hand():
    assert gini(np.array([5, 5, 5])) == 0
    # Mean absolute difference over all ordered pairs (2·(1+3+2))/9, over twice the mean 7/3.
    assert gini(np.array([1, 2, 4])) == pytest.approx((12 / 9) / (2 * 7 / 3))


def test_two_disjoint_clients_by_hand(make_store):
    """One client black and of class 0, one white and of class 1: both distances are 1."""
    images = np.zeros((8, 1, 4, 4), np.uint8)
    images[4:] = 255
    store = make_store([0] * 4 + [1] * 4, images=images)
    split = Split(
        samples=store.ids,
        clients=np.array([0] * 4 + [1] * 4),
        folds=np.array(["train", "train", "val", "test"] * 2),
        partition="pathological-1",
        seed=0,
        num_clients=2,
    )
    record = heterogeneity(split, store)
    assert record["label_distance"]["pairwise_mean"] == 1
    # Half of each: JS divergence of (1, 0) and (1/2, 1/2) is 0.311 bits, its root 0.558.
    assert record["label_distance"]["global_mean"] == pytest.approx(
        jensenshannon([1, 0], [0.5, 0.5], base=2), abs=1e-6
    )
    assert record["intensity_distance"]["pairwise_max"] == 1
    assert record["intensity_distance"]["global_mean"] == 0.5
    assert record["effective_classes"] == {"pooled": 2, "min": 1, "mean": 1, "max": 1}
    assert record["sizes"] == {"min": 2, "median": 2, "max": 2, "cv": 0, "gini": 0}
    assert record["folds"] == {"train": 4, "val": 2, "test": 2}
    assert [client["classes"] for client in record["clients"]] == [
        {"class00": 2, "class01": 0},
        {"class00": 0, "class01": 2},
    ]


def test_sizes_by_hand(make_store):
    """Clients have 2 and 6 training samples: mean 4, deviation 2, Gini 2 · 4 / 4 / (2 · 4)."""
    store = make_store([0, 1] * 6)
    split = Split(
        samples=store.ids,
        clients=np.array([0] * 4 + [1] * 8),
        folds=np.array(["train", "train", "val", "test", *["train"] * 6, "val", "test"]),
        partition="quantity-1",
        seed=0,
        num_clients=2,
    )
    sizes = heterogeneity(split, store)["sizes"]
    assert sizes == {"min": 2, "median": 4, "max": 6, "cv": 0.5, "gini": 0.25}


def test_multilabel_distance_is_the_mean_over_labels(make_store):
    rng = np.random.default_rng(2)
    labels = (rng.random((300, 4)) < [0.1, 0.3, 0.5, 0.2]).astype(np.uint8)
    store = make_store(labels, task="multilabel")
    split = make_split(store, "dirichlet-0.2", 3, 0)
    rates = np.array([labels[split.indices(client, "train")].mean(0) for client in range(3)])
    pairs = [
        jensenshannon([rates[i, k], 1 - rates[i, k]], [rates[j, k], 1 - rates[j, k]], base=2)
        for i, j in ((0, 1), (0, 2), (1, 2))
        for k in range(4)
    ]
    measured = heterogeneity(split, store)["label_distance"]
    assert measured["pairwise_mean"] == pytest.approx(np.mean(pairs), abs=1e-6)
    pooled = labels[split.pooled("train")].mean(0)
    from_all = [
        jensenshannon([rates[i, k], 1 - rates[i, k]], [pooled[k], 1 - pooled[k]], base=2)
        for i in range(3)
        for k in range(4)
    ]
    assert measured["global_mean"] == pytest.approx(np.mean(from_all), abs=1e-6)
    by_client = np.reshape(from_all, (3, 4)).mean(axis=1)
    assert measured["global_max"] == pytest.approx(by_client.max(), abs=1e-6)


def test_measures_tell_the_schemes_apart(make_store):
    rng = np.random.default_rng(3)
    images = rng.integers(60, 180, (600, 1, 8, 8)).astype(np.uint8)
    store = make_store(np.arange(600) % 4, images=images)

    def measure(word, part):
        record = heterogeneity(make_split(store, word, 5, 0), store)
        json.dumps(record, allow_nan=False)
        return record[part]

    label = [
        measure(word, "label_distance")["pairwise_mean"]
        for word in ("iid", "dirichlet-0.5", "dirichlet-0.05")
    ]
    assert label[0] < 0.05 < label[1] < label[2] <= 1
    intensity = [
        measure(word, "intensity_distance")["pairwise_mean"]
        for word in ("iid", "scanner-0.3", "scanner-1")
    ]
    assert 2 * intensity[0] < intensity[1] < intensity[2]
    assert measure("quantity-2", "sizes")["gini"] > 0.5 > measure("iid", "sizes")["gini"]


def test_one_client_has_no_distance_to_others(make_store):
    store = make_store(np.arange(40) % 2)
    record = heterogeneity(make_split(store, "iid", 1, 0), store)
    assert record["label_distance"]["pairwise_mean"] is None
    assert record["label_distance"]["global_mean"] == 0
