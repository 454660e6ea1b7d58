"""What names of folders say: a fold, a part, images or segmentations, whatever the spelling."""

from __future__ import annotations

import pytest

from medfl.datasets.folder_words import (
    are_counted,
    denies,
    fold_word,
    is_generic,
    is_grade,
    is_part,
    names_a_collection,
    only_role,
    without_role,
    words_of,
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imagesTr_01", ["images", "tr", "1"]),
        ("TRAIN-Set", ["train", "set"]),
        ("Ground Truth", ["groundtruth"]),
        ("benign (1)_mask", ["benign", "1", "mask"]),
        ("", []),
    ],
)
def test_a_name_is_taken_apart(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("fold", "names"),
    [
        ("train", "train Training TRAIN trn Train_set trainset training-data 01_train imagesTr"),
        ("train", "train_images traindata train_val trainval x_train split_train"),
        ("val", "val valid Validation VALIDATION_SET dev eval evaluation tuning validationset"),
        ("test", "test Testing tests Test_Set testdata holdout hold-out Hold_Out imagesTs test1"),
        ("", "fold1 Fold_3 split-2 cv5 kfold_4 development external_validation train_test"),
        (None, "normal benign invalid latest contest control TR_2 TS part_1 images grade1 0 dvt"),
        (None, "test_positive trainee valve developmental_delay fold"),
    ],
)
def test_folds_in_many_spellings(fold, names):
    assert {name: fold_word(name) for name in names.split()} == dict.fromkeys(names.split(), fold)


def test_parts_and_collections():
    for name in ("part_1", "images_003", "batch2", "Part 2", "chunk-10"):
        assert is_part(name), name
    for name in ("grade1", "1", "part", "images", "p1"):
        assert not is_part(name), name
    for name in ("data", "dataset-master", "Images", "archive (1)", "raw_data"):
        assert is_generic(name), name
    assert not is_generic("chest_xray")


def test_counted_names_are_people():
    assert are_counted(["case1", "case02", "Case3"])
    assert not are_counted(["T1", "FLAIR"])
    assert not are_counted(["0", "1"])
    assert not are_counted(["case1"])
    assert not are_counted(["grade1", "grade2"])
    assert is_grade("BIRADS_4")
    assert not is_grade("p4")
    assert not is_grade("grade")
    assert names_a_collection("DR-dataset")
    assert not names_a_collection("sick")


def test_words_for_images_and_segmentations_come_out_of_a_name():
    assert without_role("benign (1)_mask") == (("benign", "1"), True, False)
    assert without_role("lung masks") == (("lung",), True, False)
    assert without_role("labelsTr") == (("tr",), True, False)
    assert without_role("imagesTr") == (("tr",), False, True)
    assert without_role("GroundTruth") == ((), True, False)
    assert without_role("volume-0") == (("0",), False, True)
    # With and without a mask, and no mask at all, are findings.
    for name in ("with_mask", "without_mask", "nomask", "no-mask", "unmasked", "facemask"):
        assert not without_role(name)[1], name
    assert only_role("1st_manual")
    assert only_role("Masks_png")
    assert not only_role("lung masks")
    assert not only_role("data")
    assert denies("no_mask")
    assert denies("unlabelled")
    assert not denies("normal")
