"""Groups are never divided, so that a minimum may be out of reach although samples abound."""

from __future__ import annotations

import pytest

from medfl.errors import MedflError
from medfl.partition import make_split


@pytest.fixture
def one_large_patient(make_store):
    """Twelve training samples, ten of them of one patient; one for validation and one for test."""
    groups = ["big"] * 10 + ["b", "c", "d", "e"]
    folds = ["train"] * 12 + ["val", "test"]
    store = make_store([0, 1] * 7, groups=groups, folds=folds)
    store.has_official_folds = True
    return store


def test_the_message_names_the_client_what_it_gets_and_the_way_out(one_large_patient):
    """Three clients need 9 of 12 samples, but two of them can only get the patients of one."""
    message = r"partition `iid`: client \d gets 1 training samples, and no other can spare a group"
    with pytest.raises(MedflError, match=message):
        make_split(one_large_patient, "iid", 3, 0, min_samples=3)


def test_a_minimum_within_reach_is_met(one_large_patient):
    split = make_split(one_large_patient, "iid", 3, 0, min_samples=1)
    assert sorted(split.counts()[:, 0].tolist()) == [1, 1, 10]
