"""Images that are there twice, where labels, folds or patients differ."""

from __future__ import annotations

import numpy as np

from medfl.store import Sample
from medfl.store.equal_images import equal_images, pixels_digest


def sample(number: int, label: str, fold: str = "", patient: int = 0) -> Sample:
    return Sample(f"s{number}", (label,), f"p{patient}", fold=fold)


def test_equal_images_of_one_label_fold_and_patient_do_no_harm():
    same = [sample(1, "a"), sample(2, "a"), sample(3, "b")]
    for hashes in (["x", "x", "y"], ["x", "z", "y"], ["", "", ""]):  # arrays are no files
        assert equal_images(same, hashes, [""] * 3) == []
        assert equal_images(same, ["", "", ""], hashes) == []


def test_other_labels_and_folds_are_counted():
    three = [sample(1, "a", "train"), sample(2, "b", "train"), sample(3, "c", "test")]
    two = [sample(4, "c", "train"), sample(5, "c", "test")]
    found = equal_images([*three, *two], ["x", "x", "x", "y", "y"], ["p", "p", "p", "q", "q"])
    assert [line[:40] for line in found] == [
        "3 images are there twice with different ",
        "LEAK: 5 images are there twice in differ",
    ]
    assert all("as equal files" in line for line in found)


def test_another_patient_is_counted_where_nothing_else_is_told():
    three = [sample(1, "a"), sample(2, "a", patient=2), sample(3, "b", patient=3)]
    (line,) = equal_images(three, ["x", "x", "y"], ["p", "p", "q"])
    assert line.startswith("2 images are there twice, as equal files, and count as images of diff")
    (line,) = equal_images(three, ["x", "z", "x"], ["", "", ""])
    assert line.startswith("2 images are there twice with different labels")


def test_equal_pixels_of_other_files_are_told_apart_from_equal_files():
    four = [sample(1, "a"), sample(2, "b"), sample(3, "b"), sample(4, "a")]
    (line,) = equal_images(four, ["w", "x", "y", "z"], ["p", "p", "q", ""])
    assert line.startswith("2 images are there twice with different labels, as equal pixels in oth")
    by_file, by_pixels = equal_images(four[:3], ["x", "x", "y"], ["p", "p", "p"])
    assert "2 images are there twice with different labels, as equal files" in by_file
    assert "3 images are there twice with different labels, as equal pixels" in by_pixels
    assert len(equal_images(four[:2], ["", ""], ["p", "p"])) == 1  # arrays


def test_pixels_are_equal_where_values_shape_and_type_are():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert pixels_digest(image) == pixels_digest(image.copy(order="F")) != ""
    others = [image.reshape(1, 4, 3), image.astype(np.uint16), image + np.uint8(1)]
    assert len({pixels_digest(one) for one in [image, *others]}) == 4
    assert pixels_digest(np.full((1, 3, 4), 7, np.uint8)) == ""  # black pictures are no copies
