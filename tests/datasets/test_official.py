"""What becomes of published folds that leak, are incomplete, or are sound."""

from __future__ import annotations

from medfl.datasets.official import settle_folds
from medfl.store import Sample


def samples(*folds_and_groups):
    return [
        Sample(f"s{i}", ("a",), group, fold=fold)
        for i, (fold, group) in enumerate(folds_and_groups)
    ]


def settled(given):
    kept, warnings = settle_folds(given, "the lists")
    assert [one.id for one in kept] == [one.id for one in given]
    return [one.fold for one in kept], warnings


def test_sound_folds_and_none_stay_as_they_are():
    assert settled(samples(("train", "p"), ("test", "q"))) == (["train", "test"], [])
    assert settled(samples(("", "p"), ("", "q"))) == (["", ""], [])


def test_a_sample_without_fold_empties_all():
    folds, [warning] = settled(samples(("train", "p"), ("", "r"), ("test", "q")))
    assert folds == ["", "", ""]
    assert "the lists name no fold of 1 of 3 images" in warning


def test_a_fold_that_is_not_there_empties_all():
    folds, [warning] = settled(samples(("train", "p"), ("val", "q")))
    assert folds == ["", ""]
    assert "the lists give no image to test" in warning


def test_a_group_in_two_folds_goes_to_the_later():
    given = [("train", f"p{i}") for i in range(30)] + [("test", "q"), ("train", "q")]
    folds, [warning] = settled(samples(*given))
    assert folds == ["train"] * 30 + ["test", "test"]
    assert "LEAK in the lists: 1 groups (2 images) lie in two folds" in warning
    assert "moves 1 images" in warning
    given = [("test", "t")] * 30 + [("val", "q"), ("train", "q"), ("train", "p")]
    assert settled(samples(*given))[0] == ["test"] * 30 + ["val", "val", "train"]


def test_many_cut_groups_empty_all():
    given = [("train", f"p{i}") for i in range(17)] + [("test", "q"), ("train", "q")]
    folds, [warning] = settled(samples(*given))  # 2 of 19 images are more than a tenth
    assert set(folds) == {""}
    assert "LEAK in the lists: 1 groups (2 images)" in warning
