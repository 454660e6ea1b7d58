"""Segmentations beside images, by their names, and images that are only called so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pictures import grey

from medfl.datasets.described.segmentations import find_segmentations


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("b/benign_(1).png", "b/benign_(1)_mask.png b/benign_(1)_mask_1.png"),
        ("a/1.png a/2.png", "a/1_seg.png a/2-segmentation.png"),
        ("a/1.png a/2.jpg", "a/mask_1.png a/2.Mask.png"),
        ("a/img_1.png", "a/mask_1.png"),
        ("p1/image.png p2/image.png", "p1/mask.png p2/lesion_mask.png"),
        ("b/images/1.png", "b/masks/1.png"),
        ("b/images/x.png", "b/masks/y.png"),
        ("images/b/1.png", "masks/b/1.png"),
        ("b/1.png", "b/GroundTruth/1.png b/annotations/1.png"),
        ("b/1.png m/2.png", "b_masks/1.png m_masks/2.png"),
        ("b/1.png m/2.png", "masks/1.png masks/2.png"),
        ("b/x1.png m/x2.png", "ROI/x1.png ROI/x2.png"),
        ("C/images/c1.png", "C/lung_masks/c1.png C/infection_masks/c1.png"),
        ("imagesTr/x_0000.nii.gz", "labelsTr/x.nii.gz"),
        ("c/volume-0.nii", "c/segmentation-0.nii"),
        ("c/B_001_t1.nii.gz c/B_001_flair.nii.gz", "c/B_001_seg.nii.gz"),
        ("t/images/21_training.tif", "t/1st_manual/21_manual1.gif t/mask/21_training_mask.gif"),
        ("a/scans/0.dcm a/scans/1.dcm", "a/contours/0.dcm a/contours/1.dcm"),
        ("a/1.png", "a/1_roi.png a/1_gt.png a/1_contour.png a/1_overlay.png a/1_label.png"),
    ],
)
def test_segmentations_beside_images(images, masks):
    found = find_segmentations([*images.split(), *masks.split()])
    assert found.beside == set(masks.split())
    assert found.alone == set()


@pytest.mark.parametrize(
    ("files", "alone"),
    [
        ("with_mask/1.png without_mask/1.png", ""),
        ("mask/1.png nomask/1.png", "mask/1.png"),
        ("GT/1.png AK/1.png AK/2.png", "GT/1.png"),  # numbers agree by chance
        ("masks/a.png benign/b.png", "masks/a.png"),
        ("a/x_label_1.png a/y_label_2.png", "a/x_label_1.png a/y_label_2.png"),
        ("a/1_mask.png b/1.png", "a/1_mask.png"),
        ("a/labelled.png a/gtx.png a/robust.png", ""),
    ],
)
def test_images_that_are_only_called_like_segmentations(files, alone):
    found = find_segmentations(files.split())
    assert found.beside == set()
    assert found.alone == set(alone.split())


def test_a_class_that_is_named_is_no_segmentation():
    files = ["mask/1.png", "mask/2.png", "face/1.png", "face/2.png"]
    assert find_segmentations(files).beside == {"mask/1.png", "mask/2.png"}
    assert find_segmentations(files, classes=["Mask", "face"]).beside == set()
    assert find_segmentations(files, level=1).beside == set()


def test_classes_that_are_called_labels_stay_beside_a_lone_picture():
    files = [f"label_{k % 2}/{k}.png" for k in range(30)]
    found = find_segmentations([*files, "image.png"])
    assert found.beside == set()
    assert found.alone == set(files)


def test_names_of_many_masks_end():
    deep = "/".join(["lung masks"] * 40)
    assert find_segmentations([f"{deep}/1.png", "1.png"]).beside == {f"{deep}/1.png"}


def busi(folder: str = "us") -> None:
    for number in range(1, 4):
        for label, value in (("benign", 10), ("malignant", 100)):
            grey(f"{folder}/{label}/{label} ({number}).png", value + number)
            grey(f"{folder}/{label}/{label} ({number})_mask.png", 255)


def test_masks_are_left_out_counted_and_said(made, capsys):
    busi()
    store = made("folder: ../../us\nsize: 8")
    assert len(store) == 6
    record = json.loads((store.path / "prepare.json").read_text())
    assert record["excluded_by_reason"] == {
        "is called like a segmentation of an image beside it": 6
    }
    assert "6 segmentations (masks …) beside images" in capsys.readouterr().err


def test_masks_that_are_asked_for_are_images(made):
    busi()
    assert len(made("folder: ../../us\nsize: 8\nsegmentations: keep")) == 12
    assert len(made("folder: ../../us\nsize: 8\nfiles: '**/*_mask.png'")) == 6
    text = "folder: ../../us\nsize: 8\nmodalities: {image: 'benign/{id}).png'"
    text += ", mask: 'benign/{id})_mask.png'}\ntable: labels.csv"
    rows = "".join(f"benign ({n},{'ab'[n % 2]}\n" for n in range(1, 4))
    assert made(text, "id,label\n" + rows).images.shape[:2] == (3, 6)


def test_the_masks_of_a_table_are_images_and_others_do_not_confuse_it(made):
    for number in (1, 2):
        grey(f"x/images/{number}.png", 10 * number)
        grey(f"x/masks/{number}.png", 255)
    text = "folder: ../../x\nsize: 8\npreprocess: {intensity: full, channels: 1}\ntable: labels.csv"
    store = made(text, "file,label\n1.png,a\n2.png,b\n")
    assert store.images[:, 0, 4, 4].tolist() == [10, 20]
    store = made(text, "file,label\nmasks/1.png,a\nimages/2.png,b\n")
    assert sorted(store.images[:, 0, 4, 4].tolist()) == [20, 255]
    Path("x/masks/1.png").rename("x/masks/1_mask.png")
    store = made(text, "file,label\n1_mask,a\n2.png,b\n")
    assert sorted(store.images[:, 0, 4, 4].tolist()) == [20, 255]
