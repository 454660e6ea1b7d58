"""A hospital never seen: its patients are the test, whatever it is called."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from medfl.errors import MedflError
from medfl.partition import Block, Partition, heterogeneity, make_split, parse_partition
from medfl.partition import partition_title as title
from medfl.partition.clients import assign_clients
from medfl.partition.groups import Groups
from medfl.partition.place import partition_of, split_path
from medfl.partition.small_cells import small_cells
from medfl.partition.write import write_split


@pytest.fixture
def hospitals(make_patients):
    """Sixty patients of three classes at four sites, with one to five images each."""
    return make_patients(0, 60, 3, sites=4)


def test_its_patients_are_the_test_and_the_others_keep_their_validation(hospitals):
    usual = make_split(hospitals, "site", None, 3)
    split = make_split(hospitals, "leave-out-site2", None, 3)
    assert split.client_names == usual.client_names == ("site0", "site1", "site2", "site3")
    np.testing.assert_array_equal(split.clients, usual.clients)  # client i is site i in both
    there = hospitals.sites == "site2"
    np.testing.assert_array_equal(split.folds == "test", there)
    np.testing.assert_array_equal((split.folds == "val") & ~there, (usual.folds == "val") & ~there)
    # Those of the others who were tests are trained on.
    np.testing.assert_array_equal(
        (split.folds == "train") & ~there, np.isin(usual.folds, ["train", "test"]) & ~there
    )
    assert split.unseen == (2,)
    assert split.counts()[2].tolist() == [0, 0, int(there.sum())]
    # Nobody is said to have too few samples of folds that they cannot have.
    assert 2 not in split.below("val", 1000)
    assert list(split.below("test", 1000)) == [2]


def test_every_seed_has_the_same_test_and_another_validation(hospitals):
    first, second = (make_split(hospitals, "leave-out-site0", None, seed) for seed in (0, 1))
    np.testing.assert_array_equal(first.folds == "test", second.folds == "test")
    assert (first.folds != second.folds).any()


def test_official_folds_of_the_others_stay_but_for_their_test(make_store):
    sites = np.array(["east", "north", "west"])[np.arange(30) % 3]
    folds = np.array(["train", "train", "train", "val", "test"])[np.arange(30) // 3 % 5]
    store = make_store(np.arange(30) // 3 % 2, sites=sites, folds=folds)
    split = make_split(store, "leave-out-north", None, 0)
    expected = np.where(folds == "test", "train", folds)
    np.testing.assert_array_equal(split.folds, np.where(sites == "north", "test", expected))


def test_a_patient_of_two_sites_belongs_to_the_one_that_is_left_out(make_store):
    groups = np.array([f"p{i // 3}" for i in range(60)])
    sites = np.where(np.arange(60) < 30, "east", "west")
    sites[0] = "west"  # one picture of three of patient p0, most of whose are at east
    store = make_store(np.arange(60) // 3 % 2, groups=groups, sites=sites)
    split = make_split(store, "leave-out-west", None, 0)
    assert split.folds[:3].tolist() == ["test"] * 3
    assert split.clients[:3].tolist() == [1] * 3
    assert not (split.folds[sites == "west"] != "test").any()
    assert split.divided.counts == {"second_site": {"patients": 1, "samples": 2}}
    # Left out at east, the same patient's pictures are tests there.
    assert (make_split(store, "leave-out-east", None, 0).folds[:3] == "test").all()


NAMES = [
    ("vidir_modern", "vidir_modern"),
    ("Saint-Luc", "Saint-Luc"),
    ("00.5e1", "00.5e1"),  # no number
    ("São Paulo", "S~C3~A3o~20Paulo"),
    ("a/b", "a~2Fb"),
    ("東京", "~E6~9D~B1~E4~BA~AC"),
    ("~7E", "~7E7E"),
]


@pytest.mark.parametrize(("site", "written"), NAMES[:-1])
def test_names_of_sites_name_folders_and_can_be_read_back(site, written):
    word = f"leave-out-{written}"
    for spelling in (f"leave-out-{site}", word, word.replace("~C3", "~c3")):
        found = parse_partition(spelling)
        assert (found.word, found.site, title(found.word)) == (word, site, f"Unseen site: {site}")
    assert word.isascii()
    assert not set("/ :'\"\\") & set(word)


def test_letters_of_two_code_points_are_one_site():
    assert parse_partition("leave-out-Sa\u0303o").word == parse_partition("leave-out-S\u00e3o").word


@pytest.mark.parametrize("site", [site for site, _ in NAMES[:-1]])
def test_a_split_of_such_a_site_is_written_and_read(make_store, tmp_path, site):
    sites = np.array([site, "other", "third"])[np.arange(90) % 3]
    images = np.full((90, 1, 8, 8), 7, np.uint8)
    store = make_store(np.arange(90) // 3 % 2, sites=sites, images=images)
    word = parse_partition(f"leave-out-{site}").word
    folds = {"min_samples": 2}
    from medfl.config import SplitConfig

    path = split_path(tmp_path, "set", word, 0, None, SplitConfig(**folds))
    write_split(store, f"leave-out-{site}", None, 0, path)
    assert partition_of(path) == word
    record = json.loads(path.with_suffix(".heterogeneity.json").read_text("utf-8"))
    assert site in record["client_names"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["fold"] == "test" for row in rows) == 30


def test_what_is_measured_is_of_those_that_train(hospitals):
    split = make_split(hospitals, "leave-out-site2", None, 3)
    record = heterogeneity(split, hospitals)
    unseen = record["clients"][2]
    assert unseen["unseen"]
    assert (unseen["train"], unseen["val"], unseen["test"]) == tuple(split.counts()[2])
    assert unseen["effective_classes"] is unseen["label_distance"] is None
    assert record["sizes"]["min"] == split.counts()[[0, 1, 3], 0].min()
    assert record["label_distance"]["pairwise_mean"] > 0


def test_few_patients_at_the_unseen_site_are_not_counted_out(make_store):
    sites = np.array(["tiny"] * 4 + ["east"] * 40 + ["west"] * 40)
    store = make_store(np.arange(84) % 2, sites=sites)
    split = make_split(store, "leave-out-tiny", None, 0)
    hidden = small_cells(split, store, 10)
    assert hidden.untested >= {"1"}
    assert hidden.folds[2]


@pytest.mark.parametrize(
    ("word", "sites", "message"),
    [
        ("leave-out-nowhere", ["b", "a", "c"], r"no site `nowhere` to leave out.*are a, b, c\."),
        ("leave-out-b", ["b"], "all samples are of one site, `b`"),
        ("leave-out-b", [""], "names no sites, so it has no partition `leave-out-b`"),
        ("leave-out-b", ["a", "", "b"], "have no site, so that no client of partition `leave-out"),
    ],
)
def test_a_site_that_cannot_be_left_out(make_store, word, sites, message):
    store = make_store(np.arange(90) % 2, sites=np.array(sites)[np.arange(90) // 2 % len(sites)])
    with pytest.raises(MedflError, match=message):
        make_split(store, word, None, 0)


def test_other_bad_requests(make_store):
    sites = np.where(np.arange(90) % 3 == 0, "a", "b")
    store = make_store(np.arange(90) % 2, sites=sites)
    with pytest.raises(MedflError, match="leave num_clients out"):
        make_split(store, "leave-out-a", 2, 0)
    shared = make_store(np.arange(90) % 2, sites=sites, groups=[f"p{i // 3}" for i in range(90)])
    with pytest.raises(MedflError, match="without the patients of site `a` no patient is left"):
        make_split(shared, "leave-out-a", None, 0)
    for word, message in (
        ("leave-out", "lacks a site: write it like `leave-out-rosendahl`"),
        ("leave-out-~FF", "is no text in UTF-8"),
        ("leave-out-" + "é" * 40, "takes 240 characters"),
        ("leave-one-out", "each site left out; here write which one"),
    ):
        with pytest.raises(MedflError, match=message):
            parse_partition(word)


def test_a_class_of_one_s_own_cannot_train_on_whom_it_calls_unseen(hospitals):
    class Wrong(Partition):
        def blocks(self, request):
            there = request.groups.sites == "site0"
            shares = np.ones((1, len(request.groups.columns)))
            return [Block(there, shares, unseen=True), Block(~there, shares)]

    groups = Groups.of(hospitals)
    with pytest.raises(MedflError, match=r"not all of its groups .* are of one client and in the"):
        assign_clients(hospitals, groups, np.zeros(len(groups), int), Wrong("own", "own"), 2, 0, 1)
