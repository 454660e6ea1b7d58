"""A patient in two clients or two folds: refused or, where asked for, counted."""

from __future__ import annotations

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import Split, heterogeneity, make_split
from medfl.partition.custom import check_own
from medfl.partition.divided import Divided, check_patients

# Patients a b c d e f of two samples each.
GROUPS = np.repeat(list("abcdef"), 2)
CLIENTS = np.array([0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1])  # c and d are at both
FOLDS = np.repeat(["train", "val", "train", "test", "val", "test"], [3, 1, 2, 2, 2, 2])  # b


@pytest.fixture
def store(make_store):
    return make_store(np.arange(12) % 2, groups=GROUPS)


def written(store, path, clients=CLIENTS, folds=FOLDS):
    path.parent.mkdir(parents=True)
    rows = zip(store.ids, clients, folds, strict=True)
    lines = [f"{sample},{client},{fold}" for sample, client, fold in rows]
    path.write_text("\n".join(["sample,client,fold", *lines]) + "\n")
    return path


def test_they_are_counted(store):
    divided = check_patients("here", store, CLIENTS, FOLDS, allowed=True)
    assert divided == Divided(clients=2, folds=1)
    assert divided.counts == {"divided_patients": {"clients": 2, "folds": 1}}
    assert divided.warnings() == [
        "2 groups (patients) are at more than one client and 1 in more than one fold, as "
        "`allow_divided_patients` permits: what tests say is too good"
    ]
    whole = check_patients("here", store, CLIENTS[[0] * 12], FOLDS[[0] * 12], allowed=False)
    assert (whole.counts, whole.warnings()) == ({}, [])


def test_a_colleagues_split_is_refused_or_counted(store, tmp_path):
    path = written(store, tmp_path / "iid" / "seed0.csv")
    with pytest.raises(
        MedflError, match=r"1 of 6 groups .* in two folds, such as `b` in val and t"
    ):
        Split.read(path, store)
    split = Split.read(path, store, allow_divided_patients=True)
    assert split.divided == Divided(clients=2, folds=1)
    assert heterogeneity(split, store)["divided_patients"] == {"clients": 2, "folds": 1}


def test_two_clients_are_refused_as_two_folds_are(store, tmp_path):
    folds = np.where(GROUPS == "b", "val", FOLDS)
    path = written(store, tmp_path / "iid" / "seed0.csv", folds=folds)
    with pytest.raises(
        MedflError, match=r"2 of 6 groups .* in two clients, such as `c` in 1 and 0"
    ):
        Split.read(path, store)
    assert Split.read(path, store, allow_divided_patients=True).divided == Divided(clients=2)


def test_a_classs_own_split_is_refused_or_counted(store):
    class Own:
        name = "own"

        def create_federated_splits(self, store, num_clients, partition, seed):
            return CLIENTS, FOLDS

    with pytest.raises(MedflError, match=r"own: create_federated_splits: 1 of 6 .* in two folds"):
        make_split(store, "custom", None, 0, dataset=Own())
    split = make_split(store, "custom", None, 0, dataset=Own(), allow_divided_patients=True)
    assert split.divided == Divided(clients=2, folds=1)
    with pytest.raises(MedflError, match="in two folds"):
        check_own((CLIENTS, FOLDS), store, "own")


def test_a_good_splits_record_says_nothing_of_it(make_patients):
    store = make_patients(0, 60, 3, sites=3)
    record = heterogeneity(make_split(store, "site", None, 0), store)
    assert record.keys().isdisjoint({"divided_patients", "second_site"})


def test_lesions_of_two_published_sites_stay_whole_and_are_counted(make_store):
    # Group 0 has two samples at `a` and one at `b`; the store is of no undecided ids.
    groups = np.array([0, 0, 0, *range(1, 20)])
    sites = np.array(["a", "a", "b", *("ab"[number % 2] for number in range(1, 20))])
    store = make_store(np.arange(22) % 2, groups=[f"g{one:02}" for one in groups], sites=sites)
    split = make_split(store, "site", None, 0, min_samples=1)
    assert split.clients[:3].tolist() == [0, 0, 0]
    assert heterogeneity(split, store)["second_site"] == {"patients": 1, "samples": 1}
    assert make_split(store, "iid", 2, 0).divided == Divided()


def test_patients_who_are_all_most_at_one_site_are_not_called_of_one(make_store):
    groups = np.repeat(np.arange(10), 3)
    store = make_store(
        np.arange(30) % 2, groups=[f"g{one}" for one in groups], sites=["a", "a", "b"] * 10
    )
    with pytest.raises(MedflError, match="all patients have most of their samples at one site, `a"):
        make_split(store, "site", None, 0)
