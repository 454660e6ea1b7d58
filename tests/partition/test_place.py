"""All that decides a split stands in its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from medfl.config import SplitConfig
from medfl.errors import MedflError
from medfl.partition.place import WORDS, check_place, dealing, partition_of, split_path


def test_the_path_of_a_split():
    path = split_path("data/splits", "phantom", "dirichlet-0.5", 3, 10, SplitConfig())
    assert path == Path("data/splits/phantom/dirichlet-0.5/clients10/seed3.csv")
    path = split_path("s", "ham10000-64", "site", 0, None, SplitConfig())
    assert path == Path("s/ham10000-64/site/natural/seed0.csv")


@pytest.mark.parametrize(
    ("clients", "folds", "word"),
    [
        (4, {"val_fraction": 0.1}, "clients4-val0.1"),
        (4, {"test_fraction": 0.3, "min_samples": 5}, "clients4-min5-test0.3"),
        (None, {"official_folds": False}, "natural-drawn"),
        (12, {"official_folds": False, "val_fraction": 1e-5}, "clients12-val1e-05-drawn"),
    ],
)
def test_fold_settings_stand_there_where_they_are_not_the_usual(clients, folds, word):
    assert dealing(clients, SplitConfig(**folds)) == word
    path = split_path("s", "own", "noise-0.1", 1, clients, SplitConfig(**folds))
    assert partition_of(path) == "noise-0.1"


def test_every_fold_setting_has_a_word():
    assert set(WORDS) == set(SplitConfig.model_fields)
    assert len(set(WORDS.values())) == len(WORDS)


def test_the_partition_of_a_split_made_by_hand():
    assert partition_of(Path("site-dirichlet-0.5/seed0.csv")) == "site-dirichlet-0.5"
    assert partition_of(Path("iid/clients10x/seed0.csv")) == "clients10x"


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("s/own/iid/clients3-val0.3/seed0.csv", True),
        ("s/own/iid/clients3/seed0.csv", False),  # as a grid of the usual folds calls its own
        ("s/own/iid/clients4-val0.3/seed0.csv", False),
        ("s/own/iid/clients3-val0.3/seed1.csv", False),
        ("s/own/dirichlet-0.5/clients3-val0.3/seed0.csv", False),
        ("s/own/iid/natural/seed0.csv", False),
        ("s/own/iid/seed0.csv", True),  # a person's place
        ("mine/clients3/seed0.csv", True),  # no grid looks there
    ],
)
def test_no_split_is_written_to_the_place_of_another(path, fits):
    given = (Path(path), "iid", 0, 3, SplitConfig(val_fraction=0.3))
    if fits:
        check_place(*given)
    else:
        with pytest.raises(
            MedflError, match=r"this one belongs to iid/clients3-val0\.3/seed0\.csv"
        ):
            check_place(*given)
