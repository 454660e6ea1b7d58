"""Images that are there twice, where labels or folds differ."""

from __future__ import annotations

from medfl.store import Sample
from medfl.store.equal_files import equal_files


def sample(number: int, label: str, fold: str = "") -> Sample:
    return Sample(f"s{number}", (label,), f"p{number}", fold=fold)


def test_equal_files_of_one_label_and_fold_do_no_harm():
    same = [sample(1, "a"), sample(2, "a"), sample(3, "b")]
    assert equal_files(same, ["x", "x", "y"]) == []
    assert equal_files(same, ["x", "z", "y"]) == []
    assert equal_files(same, ["", "", ""]) == []  # arrays are no files


def test_other_labels_and_folds_are_counted():
    three = [sample(1, "a", "train"), sample(2, "b", "train"), sample(3, "c", "test")]
    two = [sample(4, "c", "train"), sample(5, "c", "test")]
    found = equal_files([*three, *two], ["x", "x", "x", "y", "y"])
    assert [line[:40] for line in found] == [
        "3 images are there twice with different ",
        "LEAK: 5 images are there twice in differ",
    ]
