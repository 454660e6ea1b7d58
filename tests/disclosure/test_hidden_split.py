"""What is hidden of a split, on counts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medfl.disclosure.split import hide_in_split, published

# Three clients, three folds, two classes; client 1 has 4 test samples.
LABELS = np.array(
    [
        [[40, 60], [10, 12], [15, 15]],
        [[30, 30], [11, 11], [2, 2]],
        [[50, 20], [12, 13], [14, 16]],
    ]
)
SIZES = LABELS.sum(axis=2)


def measured() -> dict[str, Any]:
    """A measurement of these counts; the distances are any numbers."""
    return {
        "num_clients": 3,
        "moved": 3,
        "folds": {"train": 230, "val": 69, "test": 64},
        "second_site": {"patients": 3, "samples": 12},
        "label_distance": {"kind": "words", "pairwise_mean": 0.2, "pairwise_max": 0.4},
        "effective_classes": {"pooled": 2.0, "min": 1.8, "mean": 1.9, "max": 2.0},
        "sizes": {"min": 60, "median": 70.0, "max": 100, "cv": 0.2, "gini": 0.1},
        "clients": [
            {
                "client": k,
                **dict(zip(("train", "val", "test"), SIZES[k].tolist(), strict=True)),
                "effective_classes": 1.9,
                "label_distance": 0.1,
                "classes": {"a": int(LABELS[k, 0, 0]), "b": int(LABELS[k, 0, 1])},
            }
            for k in range(3)
        ],
    }


def test_a_small_test_fold_takes_another_client_and_fold_along():
    hidden = hide_in_split(SIZES, SIZES, LABELS, 10)
    # 4 and 22 move against 22 and 30, 4 + 22 = 26 wide; with client 2 it would be three more.
    assert hidden.sizes.tolist() == [[False, True, True], [False, True, True], [False] * 3]
    assert hidden.untested == {"0", "1"}
    assert not hidden.labels.any()
    assert not hidden.classes.any()
    assert not hidden.folds.any()
    told = published(measured(), hidden)
    assert [one["test"] for one in told["clients"]] == [None, None, 30]
    assert [one["val"] for one in told["clients"]] == [None, None, 25]
    assert [one["train"] for one in told["clients"]] == [100, 60, 70]
    assert told["sizes"]["min"] == 60  # of the training samples, of which none is hidden
    assert told["moved"] is None  # three samples
    assert told["second_site"] == {"patients": None, "samples": 12}


def test_a_fold_of_few_patients_counts_as_small_however_many_images_they_have():
    patients = SIZES.copy()
    patients[0, 2] = 3  # 30 images of three people
    patients[1, 2] = 4
    assert hide_in_split(SIZES, patients, LABELS, 10).sizes[0, 2]


def test_a_hidden_training_size_hides_its_row_of_classes_and_the_spread_of_sizes():
    labels = LABELS.copy()
    labels[1, 0] = (6, 2)  # eight training samples
    hidden = hide_in_split(labels.sum(axis=2), labels.sum(axis=2), labels, 10)
    assert hidden.sizes[1, 0]
    assert hidden.labels[1].all()  # they would add up to the 8
    told = published(measured(), hidden)
    assert told["clients"][1]["train"] is None
    assert told["clients"][1]["classes"] == {"a": None, "b": None}
    assert told["clients"][1]["effective_classes"] is None
    assert set(told["sizes"].values()) == {None}
    assert told["label_distance"] == {"kind": "words", "pairwise_mean": None, "pairwise_max": None}
    assert told["effective_classes"] == {"pooled": 2.0, "min": None, "mean": None, "max": None}


def test_no_mean_over_clients_gives_away_which_of_the_possible_counts_they_have():
    """The reader of the totals moves people around the hidden rectangle until the mean fits."""
    labels = np.array([[[5, 95]], [[60, 40]], [[50, 50]]]).repeat(3, axis=1)
    hidden = hide_in_split(labels.sum(axis=2), labels.sum(axis=2), labels, 10)
    corners = hidden.labels
    assert corners.sum() == 4

    def mean(counts):
        shares = counts / counts.sum(axis=1, keepdims=True)
        return np.exp(-(shares * np.log(shares)).sum(axis=1)).mean()

    found = round(mean(labels[:, 0]), 6)
    sign = np.where(np.add.outer(np.arange(3), np.arange(2)) % 2, -1, 1) * corners
    if corners[2].any():  # clients 0 and 2
        sign[2] = -sign[0]
    fits = [t for t in range(-4, 40) if round(mean(labels[:, 0] + t * sign), 6) == found]
    assert fits == [0]  # so one number would be enough
    told = published(measured() | {"effective_classes": {"pooled": 2.0, "mean": found}}, hidden)
    assert told["effective_classes"] == {"pooled": 2.0, "mean": None}


def test_a_small_class_of_one_client_is_hidden_alone_with_its_rectangle():
    labels = LABELS.copy()
    labels[2, 0, 1] = 5
    hidden = hide_in_split(labels.sum(axis=2), labels.sum(axis=2), labels, 10)
    assert not hidden.sizes[:, 0].any()
    # 5 and 30 against 30 and 50: the cheaper of the two other clients.
    assert hidden.labels.tolist() == [[False] * 2, [True] * 2, [True] * 2]


def test_a_rare_class_is_hidden_in_every_client_where_its_total_is():
    labels = np.array([[[900, 8], [90, 20], [90, 20]], [[900, 0], [90, 20], [90, 20]]])
    hidden = hide_in_split(labels.sum(axis=2), labels.sum(axis=2), labels, 10)
    assert hidden.classes[1, 0]
    assert hidden.labels[:, 1].all()


def test_at_zero_nothing_is_hidden():
    hidden = hide_in_split(SIZES, SIZES, LABELS, 0)
    assert published(measured(), hidden) == measured()


@pytest.mark.parametrize("minimum", [5, 10, 20])
def test_hiding_twice_is_hiding_once(minimum):
    hidden = hide_in_split(SIZES, SIZES, LABELS, minimum)
    once = published(measured(), hidden)
    assert published(once, hidden) == once
