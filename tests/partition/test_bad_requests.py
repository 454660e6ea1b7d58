"""An impossible request is one clear message."""

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import make_split, parse_partition


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dirichlet-0", "alpha must be more than 0"),
        ("dirichlet--0.5", "alpha must be more than 0"),
        ("dirichlet-half", "alpha `half` is not a number"),
        ("dirichlet-nan", "must be finite"),
        ("dirichlet-inf", "must be finite"),
        ("dirichlet-1e-9", "from 1e-06 to 1e.06"),
        ("dirichlet", "lacks alpha: write it like `dirichlet-0.5`"),
        ("dirichlet-", "lacks alpha"),
        ("dirchlet-0.5", "did you mean `dirichlet-0.5`"),
        ("dirichletquantiy-0.5", "did you mean `dirichletquantity-0.5`"),
        ("patological-2", "did you mean `pathological-2`"),
        ("sites", "did you mean `site`"),
        ("zzz", "unknown partition `zzz`; known: .*dirichlet-0.5.*site"),
        ("iid-2", "`iid` takes no value"),
        ("site-3", "`site` takes no value"),
        ("pathological-1.5", "whole number"),
        ("pathological-0", "from 1 to 1e\\+06"),
        ("pathological-1e308", "from 1 to 1e\\+06"),
        ("quantity--1", "must be from 0"),
        ("noise-2", "from 0 to 1"),
        ("site-dirichlet-0", "alpha must be more than 0"),
        ("", "unknown partition"),
        ("dirichlet-1_0", "`1_0` is not a plain number"),
        ("dirichlet-\N{ARABIC-INDIC DIGIT THREE}", "not a plain number"),
        ("dirichlet-0.5/..", "is not a number"),
    ],
)
def test_words(word, message):
    with pytest.raises(MedflError, match=message):
        parse_partition(word)


@pytest.mark.parametrize(
    ("word", "clients", "options", "message"),
    [
        ("iid", 40, {}, "40 clients are more than the 26 groups"),
        ("pathological-2", 40, {}, "40 clients are more than the 26 groups"),
        ("iid", 10**18, {}, "1000000000000000000 clients are more than the dataset has groups"),
        ("pathological-2", 2**63, {}, "clients are more than the dataset has"),
        ("iid", 10, {"min_samples": 5}, "need 50, but the training fold has 26"),
        ("iid", None, {}, "needs a number of clients"),
        ("iid", 0, {}, "num_clients must be 1 or more"),
        ("iid", 2, {"min_samples": 0}, "min_samples must be 1 or more"),
        ("iid", 2, {"test_fraction": 0.9}, "leave something to train on"),
        ("iid", 2, {"val_fraction": float("nan")}, "leave something to train on"),
        ("iid", 2, {"test_fraction": float("inf")}, "leave something to train on"),
        ("iid", 2, {"test_fraction": 0}, "must both be more than 0"),
        ("pathological-3", 4, {}, "training fold has 2: use pathological-2 or less"),
        ("pathological-1", 1, {}, "leaves some of the 2 classes to no one: use at least 2 clients"),
        ("site", None, {}, "names no sites"),
        ("site-dirichlet-1", 4, {}, "names no sites"),
    ],
)
def test_requests(make_store, word, clients, options, message):
    with pytest.raises(MedflError, match=message):
        make_split(make_store(np.arange(40) % 2), word, clients, 0, **options)


def test_a_negative_seed(make_store):
    with pytest.raises(MedflError, match="the seed must be 0 or more"):
        make_split(make_store(np.arange(40) % 2), "iid", 2, -1)
    with pytest.raises(MedflError, match="the test_seed must be 0 or more"):
        make_split(make_store(np.arange(40) % 2), "iid", 2, 0, test_seed=-1)


def test_a_class_of_one_sample_or_one_patient(make_store):
    with pytest.raises(MedflError, match=r"class `b` has only one sample.*merge it"):
        make_split(make_store([0] * 30 + [1], classes=["a", "b"]), "iid", 2, 0)
    groups = [str(i) for i in range(30)] + ["p"] * 3
    store = make_store([0] * 30 + [1] * 3, classes=["a", "b"], groups=groups)
    with pytest.raises(MedflError, match="class `b` has only 3 samples, all of one group"):
        make_split(store, "iid", 2, 0)


def test_a_finding_of_one_patient_in_a_multilabel_set(make_store):
    labels = np.zeros((30, 2), np.uint8)
    labels[::2, 0] = labels[7, 1] = 1
    store = make_store(labels, classes=["a", "b"], task="multilabel")
    with pytest.raises(MedflError, match=r"class `b` has only one sample.*merge it"):
        make_split(store, "iid", 2, 0)


def test_a_class_of_two_patients_is_trained_on_and_tested(make_store):
    for seed in range(5):
        labels = np.array([0] * 60 + [1, 1])
        split = make_split(make_store(labels), "dirichlet-0.1", 4, seed)
        assert sorted(split.folds[-2:]) == ["test", "train"]


def test_sites(make_store):
    labels = np.arange(60) % 2
    store = make_store(labels, sites=np.repeat(["a", "b", "c"], 20))
    with pytest.raises(MedflError, match=r"has 3 \(a, b, c\), not 10: leave num_clients out"):
        make_split(store, "site", 10, 0)
    with pytest.raises(MedflError, match="2 clients are too few, use at least 3"):
        make_split(store, "site-dirichlet-1", 2, 0)
    with pytest.raises(MedflError, match="site `a` has"):
        make_split(store, "site-dirichlet-1", 50, 0)
    alone = make_store(labels, sites=np.repeat("a", 60))
    with pytest.raises(MedflError, match="all samples are of one site, `a`"):
        make_split(alone, "site", None, 0)
    store.sites[7] = ""
    with pytest.raises(MedflError, match="1 of 60 samples have no site"):
        make_split(store, "site", None, 0)


def test_too_scarce_a_class_for_its_holders(make_store):
    store = make_store(np.repeat([0, 1], [60, 3]))
    with pytest.raises(MedflError, match=r"too few groups .* of class `class01`"):
        make_split(store, "pathological-2", 6, 0)


def test_official_folds_that_cut_a_group_or_lack_a_sample(make_store):
    folds = np.array(["train", "val", "test", "train"] * 10)
    store = make_store(
        np.arange(40) // 4 % 2, folds=folds, groups=[f"g{i // 2}" for i in range(40)]
    )
    with pytest.raises(MedflError, match=r"put group `g0` into both .*official_folds: false"):
        make_split(store, "iid", 2, 0)
    folds_of_our_own = make_split(store, "iid", 2, 0, official_folds=False).folds
    assert set(folds_of_our_own) == {"train", "val", "test"}
    folds[5] = ""
    with pytest.raises(MedflError, match="sample `s000005` has the fold ``"):
        make_split(make_store(np.arange(40) % 2, folds=folds), "iid", 2, 0)


def test_too_few_patients_for_three_folds(make_store):
    store = make_store([0, 0, 0, 0], groups=["a", "a", "b", "b"])
    with pytest.raises(MedflError, match=r"2 groups \(patients\) are too few"):
        make_split(store, "iid", 1, 0)
